"""`skillmill filters score` and `skillmill filters calibrate` on files, as a person calls them."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

CommandLine = Callable[..., tuple[int, str, str]]

SCORE = ("filters", "score", "rows.jsonl", "--instruction", "question", "--response", "answer")
CALIBRATE = ("filters", "calibrate", "labelled.csv", "--instruction", "question", "--response", "answer")
COLUMNS = ("--label", "label", "--group", "writer")


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A file of two careful and two lazy writers on thirty questions."""
    dice = random.Random(0)
    rows = []
    for n in range(30):
        for writer in ("careful a", "careful b", "lazy a", "lazy b"):
            lazy = writer.startswith("lazy")
            steps = dice.randint(1, 3) if lazy else dice.randint(6, 12)
            answer = " ".join(f"Step {i} for kettle {n} takes {dice.randint(2, 90)} minutes." for i in range(steps))
            rows.append((f"How do I clean kettle {n}?", answer, "weak" if lazy else "good", writer))
    path = tmp_path / "labelled.csv"
    pd.DataFrame(rows, columns=["question", "answer", "label", "writer"]).to_csv(path, index=False)
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    answers = ["Pour in vinegar and water, boil it, wait an hour, and rinse it twice with cold water.", "", "Boil it."]
    lines = [json.dumps({"question": "How do I clean a kettle?", "answer": answer}) for answer in answers]
    path.write_text("\n".join(lines))
    return path


def test_score_adds_columns_and_counts_rows_with_a_reason(command_line: CommandLine, rows: Path) -> None:
    code, out, err = command_line(*SCORE, "--out", "scored.parquet", "--threshold", "1.0")
    assert (code, err) == (0, "")
    assert out == "scored.parquet: 3 rows, 1 (33.3%) at or above 1.000\n"
    scored = pd.read_parquet("scored.parquet")
    assert list(scored.columns[:2]) == ["question", "answer"]
    assert scored["shirker_score"][1] == 1.0
    assert [list(reasons) for reasons in scored["reasons"]] == [[], ["empty", "shirker"], []]


@pytest.mark.parametrize("folder", ["exp[k=3]", "a*b"])
def test_score_reads_chats_and_says_what_it_changed(command_line: CommandLine, folder: str) -> None:
    Path(folder).mkdir()
    turns = [["How do I clean a kettle?", "Boil it."]]
    lines = [json.dumps({"conversations": turns, "meta": meta}) for meta in (1, "x \ud83d", [1], {"a": None})]
    Path(folder, "chats.jsonl").write_text("\n".join(lines))
    code, out, err = command_line("filters", "score", f"{folder}/chats.jsonl", "--out", f"{folder}/scored.parquet")
    assert code == 0
    assert out.startswith(f"{folder}/scored.parquet: 4 rows, ")
    assert err.splitlines() == [
        "chats.jsonl: lone surrogates replaced with U+FFFD: 1",
        "chats.jsonl: read as text, because the type changes from row to row: meta",
    ]
    with Path(folder, "scored.parquet").open("rb") as file:
        scored = pd.read_parquet(file)
    assert list(scored["meta"]) == ["1", "x \ufffd", "[1]", '{"a": null}']


def test_score_reads_another_encoding(command_line: CommandLine) -> None:
    Path("rows.tsv").write_bytes("question\tanswer\ncafé?\tBoil it.\n".encode("cp1252"))
    score = ("filters", "score", "rows.tsv", "--instruction", "question", "--response", "answer", "--out", "o.parquet")
    code, _, err = command_line(*score)
    assert (code, err.count("\n")) == (2, 1)
    assert "--encoding cp1252" in err
    assert command_line(*score, "--encoding", "cp1252")[0] == 0
    assert pd.read_parquet("o.parquet")["question"][0] == "café?"


def test_calibrate_writes_a_model_that_score_takes(command_line: CommandLine, labelled: Path, rows: Path) -> None:
    code, out, err = command_line(*CALIBRATE, *COLUMNS, "--precision", "0.9", "--out", "models/mine.json")
    assert (code, err) == (0, "")
    assert "Left out of training: writers and instructions" in out
    assert all(writer in out for writer in ("careful a", "careful b", "lazy a", "lazy b"))
    assert out.endswith("models/mine.json is written; use it with filters.shirker.model or --model\n")
    card = json.loads(Path("models/mine.json").read_text())["card"]
    assert (card["trained_on"], card["rows"], card["instructions"]) == ("labelled.csv", 120, 30)
    assert card["labels"] == {"good": 60, "weak": 60}
    code, out, _ = command_line(*SCORE, "--out", "scored.parquet", "--model", "models/mine.json")
    assert code == 0
    assert out.startswith("scored.parquet: 3 rows, ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("filters", "score", "none.csv", *SCORE[3:], "--out", "o.parquet"), "none.csv: no such file"),
        ((*SCORE[:-1], "reply", "--out", "o.parquet"), "--response 'reply': the file has no such column"),
        ((*SCORE, "--out", "o.parquet", "--threshold", "2"), "--threshold"),
        ((*SCORE, "--out", "o.parquet", "--model", "none.json"), "none.json"),
        ((*CALIBRATE, *COLUMNS, "--out", "m.json", "--good", "fine"), "expected at least 50 rows labelled 'fine'"),
        ((*CALIBRATE, *COLUMNS[:3], "question", "--out", "m.json"), "--group: "),
        (("filters", "calibrate", "none.csv", *CALIBRATE[3:], *COLUMNS, "--out", "m.json"), "no such file"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    command_line: CommandLine, labelled: Path, rows: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    code, out, err = command_line(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("skillmill: ")
    assert err.count("\n") == 1
    assert complaint in err
    assert sorted(path.name for path in Path().iterdir()) == ["labelled.csv", "rows.jsonl"]
