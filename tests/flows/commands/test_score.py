"""`skillmill score`: reads files of every form and a run's grades, writes JSON, reports an error in one line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from skillmill.data.errors import ConfigError, StoreError
from skillmill.data.records import Sample, sample_row
from skillmill.data.store import grade_store, sample_store
from skillmill.flows.cli.main import app
from skillmill.flows.runtime.workspace import write_state
from skillmill.skill_taxonomy.formats import save_taxonomy
from skillmill.skill_taxonomy.taxonomy import Taxonomy

ROUNDS = {"r2": ["110", "111", "011", "111", "101"], "r3": ["011", "101", "111", "110", "101"]}


@pytest.fixture
def released() -> pd.DataFrame:
    """Return the points of Skill-Mix's released records, as in test_skill_mix_metrics.py, one row a grading."""
    rows = [
        {
            "combination": f"c{i}",
            "generation": generation,
            "grading": run,
            "k": 3,
            "points": [int(point) for point in f"{skills}111"],
        }
        for generation, texts in ROUNDS.items()
        for i, skills in enumerate(texts)
        for run in range(3)
    ]
    return pd.DataFrame(rows)


def score(*arguments: Any) -> dict[str, Any]:
    out = Path(arguments[0]).parent / "out" / "metrics.json"
    app(["score", *map(str, arguments), "--out", str(out)], standalone_mode=False)
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def best(group: dict[str, Any]) -> list[float]:
    return [round(group["best"][name]["value"], 4) for name in ("full_marks", "all_skills", "skill_fraction")]


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("points.parquet", lambda table, path: table.to_parquet(path)),
        ("points.csv", lambda table, path: table.to_csv(path, index=False)),
        ("points.jsonl", lambda table, path: table.to_json(path, orient="records", lines=True)),
        ("points.json", lambda table, path: table.to_json(path, orient="records")),
        ("long.parquet", lambda table, path: table.explode("points").astype({"points": int}).to_parquet(path)),
    ],
)
def test_the_golden_numbers_come_out_of_every_form(
    tmp_path: Path,
    released: pd.DataFrame,
    capsys: pytest.CaptureFixture[str],
    name: str,
    write: Callable[[pd.DataFrame, Path], None],
) -> None:
    write(released, tmp_path / name)
    found = score(tmp_path / name)
    assert best(found["overall"]) == best(found["per_k"]["3"]) == [0.6, 0.6, 0.8667]
    assert found["gradings"] == 30
    assert found["bootstrap"] == {"draws": 1000, "seed": 0, "confidence": 0.95}
    assert "per_skill" not in found
    assert "0.600 ± 0.245" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_file(tmp_path: Path, released: pd.DataFrame) -> None:
    file = tmp_path / "points.parquet"
    released.to_parquet(file)
    first, again = score(file, "--seed", 7), score(file, "--seed", 7)
    assert first == again


def test_columns_that_may_be_there(tmp_path: Path, released: pd.DataFrame) -> None:
    released["skills"] = [["pun", "red herring", "irony"]] * len(released)
    released["category"] = "wit"
    released["response"] = "That was a red herring."
    file = tmp_path / "points.parquet"
    released.to_parquet(file)
    found = score(file)
    assert set(found["per_skill"]) == {"pun", "red herring", "irony"}
    assert best(found["per_category"]["wit"]) == best(found["overall"])
    named = score(file, "--naming", "words")
    assert named["per_skill"]["red herring"]["best"]["point"]["value"] == 0
    assert best(named["overall"]) == [0, 0, 0.6]
    assert named["naming"] == {"rule": "words", "points_deducted": 21}
    with pytest.raises(ConfigError, match="no grading with points is left"):
        score(file, "--exclude", "irony, PUN")
    with pytest.raises(ConfigError, match="--exclude 'metaphor': there is no skill of this name, the closest are"):
        score(file, "--exclude", "metaphor")


def test_a_skill_with_a_comma_and_columns_nobody_asked_for(tmp_path: Path, released: pd.DataFrame) -> None:
    released["skills"] = [["pun", "red herring, smoked", "irony"]] * 15 + [["simile", "satire", "irony"]] * 15
    released["combination"] = [*released["combination"][:15], *("d" + released["combination"][15:])]
    released["meta"] = [[1], "x", {"a": 1}] * 10
    file = tmp_path / "points.jsonl.gz"
    released.to_json(file, orient="records", lines=True)
    found = score(file, "--exclude", "Red herring, smoked")
    assert found["excluded"] == {"skills": ["red herring, smoked"], "gradings": 15}
    assert score(file, "--exclude", "pun", "--exclude", "PUN, red herring, smoked")["excluded"]["gradings"] == 15


def test_what_is_wrong_is_one_line_and_leaves_nothing(tmp_path: Path, released: pd.DataFrame) -> None:
    file, out = tmp_path / "points.parquet", tmp_path / "metrics.json"
    released.drop(columns="points").to_parquet(file)
    command = [sys.executable, "-m", "skillmill.flows.cli", "score", str(file), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("skillmill: points: there is no such column (expected a list of k + 3 points")
    assert done.stderr.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("nothing.parquet", None, "no such file"),
        ("points.parquet", b"no parquet", "cannot be read"),
        ("points.xlsx", b"", "expected a name that ends in"),
        ("points.jsonl", b"{", "cannot be read"),
    ],
)
def test_files_that_are_none(tmp_path: Path, name: str, content: bytes | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=complaint):
        score(tmp_path / name)


def test_a_result_that_cannot_be_written_is_told(tmp_path: Path, released: pd.DataFrame) -> None:
    released.to_parquet(tmp_path / "points.parquet")
    (tmp_path / "out").write_text("a file where a folder is needed")
    with pytest.raises(StoreError, match="cannot write"):
        score(tmp_path / "points.parquet")


PLAN = "0123456789abcdef"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Write a run with two cells, two answers each and two gradings, one of them from an unreadable reply."""
    folder = tmp_path / "run"
    taxonomy = {"pun": "wit", "irony": "style", "simile": "style"}
    folder.mkdir()
    skills = [{"name": name, "category": category, "definition": "A way."} for name, category in taxonomy.items()]
    save_taxonomy(Taxonomy.model_validate({"skills": skills, "topics": [{"name": "Knots"}]}), folder / "taxonomy.yaml")
    nothing: dict[str, Any] = dict.fromkeys(("query_type", "teacher", "prompts", "seed", "split"))
    samples, grades = [], []
    for index, pair in enumerate((["pun", "irony"], ["irony", "simile"])):
        for generation in (0, 1):
            made = Sample("Write of knots.", "A pun on knots.", generation=generation)
            cell: dict[str, Any] = {"plan": PLAN, "index": index, "cell": f"cell {index}", "k": 2, "skills": pair}
            samples.append(sample_row(made, **nothing, **cell, kind="skill_mix", topic="Knots"))
            for number in (0, 1):
                points = [1.0, float(index == 0 or generation == 1)]
                grade = {
                    "skills": [{"skill": s, "point": p, "evidence": ""} for s, p in zip(pair, points, strict=True)],
                    **dict.fromkeys(("on_topic", "makes_sense", "within_limit"), 1.0),
                    "total": sum(points) + 3,
                }
                usable = (index, generation, number) != (0, 0, 1)
                grades.append(
                    {
                        "id": samples[-1]["id"],
                        "run": number,
                        "grader": "g",
                        "grade": grade if usable else None,
                        "raw": "",
                    }
                )
    for store, rows in ((sample_store(folder), samples), (grade_store(folder), grades)):
        store.recover()
        store.commit(PLAN, 0, 2, rows, 2, 2)
    write_state(folder, {"plan": PLAN})
    return folder


def test_the_grades_of_a_run(run: Path) -> None:
    found = score(run)
    assert (found["gradings"], found["unusable_gradings"]) == (7, 1)
    assert best(found["overall"]) == [1, 1, 1]
    assert found["overall"]["mean"]["full_marks"]["value"] == 0.75
    assert set(found["per_category"]) == {"wit", "style"}
    assert found["per_skill"]["simile"]["mean"]["point"]["value"] == 0.5
    assert score(run / "grades") == found
    assert score(run, "--naming", "words")["per_skill"]["pun"]["best"]["point"]["value"] == 0


def test_a_folder_without_grades(tmp_path: Path, run: Path) -> None:
    with pytest.raises(ConfigError, match="expected a file, the output_dir of a run, or its grades"):
        score(tmp_path)
    (run / "grades" / "manifest.jsonl").unlink()
    with pytest.raises(ConfigError, match="the run has no grades"):
        score(run)
