"""`skillmill filters score` on files of every kind, whole or not at all."""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.inputs.row_files import BATCH_ROWS
from skillmill.filters.shirker.model import load_model
from skillmill.filters.shirker.scoring import score_file

ROWS = {
    "id": [1, 2, 3, 4],
    "question": ["How do I boil an egg?", "How do I boil an egg?", "Wie koche ich ein Ei?", None],
    "answer": [
        "Bring a pot of water to the boil, lower the egg in with a spoon, and wait 7 minutes for a soft yolk or 10 "
        "for a firm one. Cool it in cold water so that it peels well.",
        "",
        None,
        "Boil it.",
    ],
}
MODEL = load_model()


def scored(path: Path, out: Path) -> pd.DataFrame:
    score_file(path, "question", "answer", out, MODEL, MODEL.threshold)
    return pd.read_parquet(out)


def write(path: Path) -> Path:
    frame = pd.DataFrame(ROWS)
    match path.suffix:
        case ".parquet":
            frame.to_parquet(path)
        case ".csv":
            frame.to_csv(path, index=False)
        case ".jsonl":
            frame.to_json(path, orient="records", lines=True)
        case ".json":
            frame.to_json(path, orient="records")
    return path


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.jsonl", "rows.json"])
def test_every_kind_of_file_gives_the_same_scores(tmp_path: Path, name: str) -> None:
    found = scored(write(tmp_path / name), tmp_path / "out.parquet")
    assert found["id"].tolist() == [1, 2, 3, 4]  # other columns stay
    assert found["shirker_score"][1] == found["shirker_score"][2] == 1.0
    assert [list(one) for one in found["reasons"]][1:3] == [["empty", "shirker"]] * 2
    assert found["shirker_score"][0] < found["shirker_score"][3]
    expected = scored(write(tmp_path / "again.parquet"), tmp_path / "again.out.parquet")
    assert found["shirker_score"].tolist() == expected["shirker_score"].tolist()


def test_rows_outside_of_the_training_data_are_not_judged_and_repeats_are_counted(tmp_path: Path) -> None:
    rows = [("Is a bat a bird?", "No"), ("How do I boil an egg?", "Boil it."), ("Why do cats purr?", "Boil it.")]
    pd.DataFrame(rows, columns=["question", "answer"]).to_csv(tmp_path / "rows.csv", index=False)
    score_file(tmp_path / "rows.csv", "question", "answer", tmp_path / "out.parquet", MODEL, 1e-9)
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert found["shirker_verdict"].tolist() == ["not judged", "shirker", "shirker"]
    assert [list(one) for one in found["shirker_outside"]] == [["kind of task"], [], []]
    assert [list(one) for one in found["reasons"]] == [[], ["shirker"], ["shirker"]]
    assert found["repeated_answers"].tolist() == [0, 0, 1]


def test_batches_give_what_one_row_gives(tmp_path: Path) -> None:
    rows = BATCH_ROWS + 5
    answers = [f"{n} eggs need {n} minutes. " * (n % 7) for n in range(rows)]
    pq.write_table(pa.table({"question": ["How long?"] * rows, "answer": answers}), tmp_path / "many.parquet")
    found = scored(tmp_path / "many.parquet", tmp_path / "out.parquet")
    alone = MODEL.scores(MODEL.features(["How long?"], [answers[-1]]))[0]
    assert len(found) == rows
    assert found["shirker_score"].iloc[-1] == pytest.approx(alone)


def test_scoring_a_scored_file_replaces_the_columns(tmp_path: Path) -> None:
    once = scored(write(tmp_path / "rows.csv"), tmp_path / "once.parquet")
    twice = scored(tmp_path / "once.parquet", tmp_path / "twice.parquet")
    assert list(twice.columns) == list(once.columns)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("rows.txt", "question", "expected a name that ends in"),
        ("rows.csv", "question,reply\na,b\n", "--response 'answer': the file has no such column, only question, reply"),
        ("rows.jsonl", '{"question": "a", "answer": ["b"]}\n', "expected a column of strings"),
        ("rows.json", "{", "is no JSON"),
        ("rows.json", '{"question": 1}', "expected a list of objects"),
        ("rows.parquet", "no parquet", "cannot be read"),
    ],
)
def test_a_file_that_does_not_fit_is_one_clear_error_and_nothing_is_written(
    tmp_path: Path, name: str, content: str, says: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match=says):
        score_file(tmp_path / name, "question", "answer", tmp_path / "out.parquet", MODEL, 0.5)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_was_there_stays_when_a_later_batch_is_broken(tmp_path: Path) -> None:
    good = json.dumps({"question": "a", "answer": "b" * 1000}) + "\n"
    (tmp_path / "rows.jsonl").write_text(good * 20_000 + '{"question": \n')
    (tmp_path / "out.parquet").write_text("the last result")
    with pytest.raises(ConfigError, match="cannot be read"):
        score_file(tmp_path / "rows.jsonl", "question", "answer", tmp_path / "out.parquet", MODEL, 0.5)
    assert (tmp_path / "out.parquet").read_text() == "the last result"
    assert len(list(tmp_path.iterdir())) == 2


def test_an_output_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(SkillmillError, match="cannot be written"):
        score_file(write(tmp_path / "rows.csv"), "question", "answer", tmp_path / "taken" / "out.parquet", MODEL, 0.5)
