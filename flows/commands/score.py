"""`skillmill score`: Skill-Mix metrics of a table of points, or of the grades that a run has."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from skillmill.data.errors import ConfigError
from skillmill.data.files import store_errors, write_whole
from skillmill.data.records import text_of
from skillmill.data.store import grade_store, sample_store
from skillmill.filters.shirker.scoring import batches
from skillmill.flows.runtime.workspace import read_state
from skillmill.skill_taxonomy.taxonomy import load_taxonomy
from skillmill.train.evaluation.metrics import METRICS, Bootstrap, skill_mix_metrics
from skillmill.train.evaluation.points import Naming, read_points

BATCH_ROWS = 65_536


def score(path: Path, out: Path, exclude: Sequence[str], naming: Naming, bootstrap: Bootstrap) -> None:
    """Write the metrics of a file of points, or of the grades in a run's `output_dir`, as JSON; print the main ones."""
    table = points_of_run(path) if path.is_dir() else _table(path)
    points = read_points(table, exclude, naming)
    found = {
        "gradings": sum(len(of_k.points) for of_k in points.gradings),
        "unusable_gradings": points.unusable,
        "excluded": {"skills": list(exclude), "gradings": points.excluded},
        "naming": {"rule": naming, "points_deducted": points.deducted},
        "bootstrap": {"draws": bootstrap.draws, "seed": bootstrap.seed, "confidence": 0.95},
        **skill_mix_metrics(points.gradings, points.generations, points.skills, points.categories, bootstrap),
    }
    with store_errors(f"--out: cannot write {out}"):
        out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, orjson.dumps(found, option=orjson.OPT_INDENT_2))
    Console(highlight=False).print(_summary(found))
    print("n combinations; the best or the mean of each one's generations; ± the standard error")
    print(out)


def points_of_run(folder: Path) -> pa.Table:
    """The gradings of a run's current plan as a table of points; a combination is a cell, a category its skills'."""
    root = folder.parent if folder.name == "grades" else folder
    plan = read_state(root).get("plan")
    if not isinstance(plan, str):
        raise ConfigError(f"{folder}: expected a file, the output_dir of a run, or its grades")
    grades = [
        grade
        for table in grade_store(root).tables([plan], ["id", "run", "grader", "grade"])
        for grade in table.to_pylist()
    ]
    if not grades:
        raise ConfigError(f"{folder}: the run has no grades; grading.when has to be unsure or always")
    columns = ["id", "cell", "generation", "k", "skills", "completion"]
    graded = {grade["id"] for grade in grades}
    rows = {
        row["id"]: row
        for table in sample_store(root).tables([plan], columns)
        for row in table.to_pylist()
        if row["id"] in graded
    }
    categories = {skill.name: skill.category for skill in load_taxonomy(root / "taxonomy.yaml").skills}
    return pa.Table.from_pylist(
        [_graded(rows[grade["id"]], grade, categories) for grade in grades if grade["id"] in rows]
    )


def _graded(row: dict[str, Any], grading: dict[str, Any], categories: dict[str, str]) -> dict[str, Any]:
    grade = grading["grade"]
    points = {skill["skill"]: skill["point"] for skill in grade["skills"]} if grade else {}
    others = [grade[name] for name in ("on_topic", "makes_sense", "within_limit")] if grade else []
    return {
        "combination": row["cell"],
        "generation": row["generation"],
        "grading": f"{grading['grader']} {grading['run']}",
        "k": row["k"],
        "points": [*(points.get(skill, 0.0) for skill in row["skills"]), *others] if grade else None,
        "skills": row["skills"],
        "category": [categories.get(skill, "general") for skill in row["skills"]],
        "response": text_of(row["completion"]),
    }


def _table(path: Path) -> pa.Table:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    found = list(batches(path, BATCH_ROWS))
    if not found:
        raise ConfigError(f"{path}: has no rows")
    return pa.Table.from_batches(found)


def _summary(found: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "", "n", *(metric.replace("_", " ") for metric in METRICS)):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    groups = {**{f"k = {k}": group for k, group in found["per_k"].items()}, "all": found["overall"]}
    for label, group in groups.items():
        for over in ("best", "mean"):
            shown = [_shown(group[over][metric]) for metric in METRICS]
            table.add_row(label, over, f"{group['combinations']:,}", *shown)
    return table


def _shown(estimate: dict[str, float | None]) -> str:
    error = "" if estimate["se"] is None else f" ± {estimate['se']:.3f}"
    return f"{estimate['value']:.3f}{error}"
