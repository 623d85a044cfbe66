"""`skillmill score`: Skill-Mix metrics of a table of points, or of the grades of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import orjson
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from skillmill.data.errors import ConfigError
from skillmill.data.files import store_errors, write_atomic
from skillmill.data.inputs.local_files import require_local
from skillmill.data.inputs.row_files import open_rows
from skillmill.data.records import GradingRow, SampleRow, text_of
from skillmill.data.store import grade_store, sample_store
from skillmill.flows.runtime.workspace import read_state
from skillmill.skill_taxonomy.formats import load_taxonomy
from skillmill.train.evaluation.columns import EXPECTED
from skillmill.train.evaluation.points import check_columns, read_points
from skillmill.train.evaluation.skill_mix_metrics import METRICS, Bootstrap, skill_mix_metrics
from skillmill.train.evaluation.skill_names import Naming

BATCH_ROWS = 65_536


class PointsRow(TypedDict):
    """One grading of one text, in the form that `read_points` takes; `points` is null if the grading is unusable."""

    combination: str
    generation: int
    grading: str
    k: int
    points: list[float] | None
    skills: list[str]
    category: list[str]
    response: str


def score(
    path: Path, out: Path, exclude: Sequence[str], naming: Naming, bootstrap: Bootstrap, encoding: str | None = None
) -> None:
    """Write the metrics of `path`, a file of points or a run's `output_dir`, to `out` as JSON; print the main ones.

    Combinations with a skill of `exclude` are left out, see `skills_named`. `encoding` is that of a text file, None for
    UTF-8. Raises `ConfigError` if `path` holds no points.
    """
    known: list[str] = []
    if path.is_dir():
        table = points_of_run(path)
        known = [skill.name for skill in load_taxonomy(_root(path) / "taxonomy.yaml").skills]
    else:
        table = _points_of_file(path, exclude, naming, encoding)
    points = read_points(table, exclude, naming, known)
    metrics = {
        "gradings": sum(len(of_k.points) for of_k in points.gradings),
        "unusable_gradings": points.unusable,
        "excluded": {"skills": points.excluded_skills, "gradings": points.excluded},
        "naming": {"rule": naming, "points_deducted": points.deducted},
        "bootstrap": {"draws": bootstrap.draws, "seed": bootstrap.seed, "confidence": 0.95},
        **skill_mix_metrics(points.gradings, points.generations, points.skills, points.categories, bootstrap),
    }
    with store_errors(f"--out: cannot write {out}"):
        out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, orjson.dumps(metrics, option=orjson.OPT_INDENT_2))
    Console(highlight=False).print(_summary(metrics))
    print("n combinations; the best or the mean of each one's generations; ± the standard error")
    print(out)


def points_of_run(folder: Path) -> pa.Table:
    """Return the gradings of a run's current plan as a table of `PointsRow`: a combination is a cell.

    `folder` is the run's `output_dir` or its folder `grades`. Raises `ConfigError` if it holds no grades.
    """
    root = _root(folder)
    plan = read_state(root).get("plan")
    if not isinstance(plan, str):
        raise ConfigError(f"{folder}: expected a file, the output_dir of a run, or its grades")
    gradings: list[GradingRow] = [
        grading
        for table in grade_store(root).tables([plan], ["id", "run", "grader", "grade"])
        for grading in table.to_pylist()
    ]
    if not gradings:
        raise ConfigError(f"{folder}: the run has no grades; grading.when has to be unsure or always")
    columns = ["id", "cell", "generation", "k", "skills", "completion"]
    graded = {grading["id"] for grading in gradings}
    rows: dict[str, SampleRow] = {
        row["id"]: row
        for table in sample_store(root).tables([plan], columns)
        for row in table.to_pylist()
        if row["id"] in graded
    }
    categories = {skill.name: skill.category for skill in load_taxonomy(root / "taxonomy.yaml").skills}
    return pa.Table.from_pylist(
        [_points_row(rows[grading["id"]], grading, categories) for grading in gradings if grading["id"] in rows]
    )


def _points_row(row: SampleRow, grading: GradingRow, categories: dict[str, str]) -> PointsRow:
    points = None
    if grade := grading["grade"]:
        of_skill = {skill["skill"]: skill["point"] for skill in grade["skills"]}
        others = (grade["on_topic"], grade["makes_sense"], grade["within_limit"])
        points = [*(of_skill.get(skill, 0.0) for skill in row["skills"]), *others]
    return {
        "combination": row["cell"],
        "generation": row["generation"],
        "grading": f"{grading['grader']} {grading['run']}",
        "k": row["k"],
        "points": points,
        "skills": row["skills"],
        "category": [categories.get(skill, "general") for skill in row["skills"]],
        "response": text_of(row["completion"]),
    }


def _root(folder: Path) -> Path:
    return folder.parent if folder.name == "grades" else folder


def _points_of_file(path: Path, exclude: Sequence[str], naming: Naming, encoding: str | None) -> pa.Table:
    require_local(path)
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    file = open_rows(path, encoding)
    columns = [name for name in EXPECTED if name in file.schema.names]
    if file.schema.names:
        check_columns(file.schema.names, exclude, naming)
    for name in columns:
        file.require(name, "column")
    if "category" in file.changing:
        raise ConfigError(f"category: has texts and lists; expected {EXPECTED['category']}")
    record_batches = list(file.batches(columns, BATCH_ROWS))
    if not record_batches:
        raise ConfigError(f"{path}: has no rows")
    return pa.Table.from_batches(record_batches)


def _summary(metrics: dict[str, Any]) -> Table:
    """Return a table of the overall metrics and those of each k, with standard errors."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "", "n", *(metric.replace("_", " ") for metric in METRICS)):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    groups = {**{f"k = {k}": group for k, group in metrics["per_k"].items()}, "all": metrics["overall"]}
    for label, group in groups.items():
        for over in ("best", "mean"):
            cells = [_with_error(group[over][metric]) for metric in METRICS]
            table.add_row(label, over, f"{group['combinations']:,}", *cells)
    return table


def _with_error(estimate: dict[str, float | None]) -> str:
    error = "" if estimate["se"] is None else f" ± {estimate['se']:.3f}"
    return f"{estimate['value']:.3f}{error}"
