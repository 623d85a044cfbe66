"""The files of an evaluation: the answers, the table, the plot and, last, the metrics."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from skillmill.data.files import store_errors, sync, temporary_path, write_atomic
from skillmill.train.evaluation.instruct.table import instruct_markdown
from skillmill.train.evaluation.result import ROLES, Evaluation
from skillmill.train.evaluation.skill_mix_metrics import METRICS

FOLDER = "evaluate"
METRICS_FILE, TABLE_FILE, PLOT_FILE = "metrics.json", "table.md", "before_after.svg"
ANSWERS = {"student": "answers.parquet", "baseline": "baseline.parquet"}
HEADINGS = {"full_marks": "full marks", "all_skills": "all skills", "skill_fraction": "skill fraction"}
SPLIT_WORDS = {
    "combinations": "combinations",
    "skills": "skills",
    "topics": "topics",
    "skills_and_topics": "skills + topics",
}
"""The names of the splits in tables and plots: what is new to the student."""

Line = dict[str, Any]


def write_outputs(output: Path, evaluation: Evaluation, metrics: dict[str, Any]) -> None:
    """Write the folder `evaluate/` of a run. `metrics.json` is written last. Raises `StoreError`."""
    folder = output / FOLDER
    with store_errors(f"cannot write {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        for role, table in zip(ROLES, evaluation.tables, strict=False):
            path = folder / ANSWERS[role]
            pq.write_table(table, temporary_path(path), compression="zstd")
            sync(temporary_path(path))
            temporary_path(path).replace(path)
        if len(evaluation.answers) == 1:
            (folder / ANSWERS["baseline"]).unlink(missing_ok=True)
    write_atomic(folder / TABLE_FILE, markdown_table(metrics).encode())
    write_atomic(folder / PLOT_FILE, plot(metrics).encode())
    write_atomic(folder / METRICS_FILE, orjson.dumps(metrics, option=orjson.OPT_INDENT_2))


def read_metrics(output: Path) -> dict[str, Any] | None:
    """Return the metrics of the last evaluation of a run, None if there is none."""
    try:
        metrics: dict[str, Any] = orjson.loads((output / FOLDER / METRICS_FILE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return metrics


def table_lines(metrics: dict[str, Any]) -> Iterator[Line]:
    """Yield a line for each split and k: `split`, `k`, `n`, and for each metric its estimates and their difference.

    `student` and `baseline` are {metric: estimate}, `gain` is {metric: difference}; both of the latter are None without
    a baseline.
    """
    baseline, gain = metrics["baseline"], metrics["gain"]
    for split in SPLIT_WORDS:
        for k, splits in metrics["student"].items():
            if split not in splits:
                continue
            before = (baseline or {}).get(k, {}).get(split)
            change = (gain or {}).get(k, {}).get(split)
            yield {
                "split": SPLIT_WORDS[split],
                "k": k,
                "n": splits[split]["full_marks"]["n"],
                "student": splits[split],
                "baseline": before,
                "gain": {name: each["difference"] for name, each in change.items()} if change else None,
            }


def cells_of(line: Line) -> list[str]:
    """Return the texts of a line's columns: for each metric before, after and the difference, or the metric alone."""
    texts: list[str] = []
    for metric in METRICS:
        if line["baseline"] is None:
            texts.append(with_error(line["student"][metric]))
            continue
        texts += [with_error(line["baseline"][metric]), with_error(line["student"][metric])]
        texts.append(with_error(line["gain"][metric], signed=True) if line["gain"] else "")
    return texts


def headings(metrics: dict[str, Any]) -> list[str]:
    """Return the headings of the columns of `cells_of`."""
    if metrics["baseline"] is None:
        return [HEADINGS[metric] for metric in METRICS]
    return [f"{HEADINGS[metric]}{what}" for metric in METRICS for what in (" before", " after", " change")]


def with_error(estimate: dict[str, Any], signed: bool = False) -> str:
    """Return the value and its standard error with two decimals."""
    value = f"{estimate['value']:+.2f}" if signed else f"{estimate['value']:.2f}"
    return value if estimate["se"] is None else f"{value} ± {estimate['se']:.2f}"


def markdown_table(metrics: dict[str, Any]) -> str:
    """Return the table of an evaluation as Markdown."""
    columns = ["new", "k", "n", *headings(metrics)]
    lines = [
        f"Student: {metrics['models']['student']}",
        *([f"Baseline (before): {metrics['models']['baseline']}"] if metrics["baseline"] is not None else []),
        f"Graded by: {metrics['settings']['graded_by']}. Values are means over n cells ± the standard error.",
    ]
    table = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    table += [
        f"| {' | '.join([line['split'], line['k'], str(line['n']), *cells_of(line)])} |"
        for line in table_lines(metrics)
    ]
    instruct = "\n" + instruct_markdown(metrics["instruct"]) if metrics.get("instruct") else ""
    return "\n\n".join(lines) + "\n\n" + "\n".join(table) + "\n" + instruct


def plot(metrics: dict[str, Any]) -> str:
    """Return the plot of an evaluation, before against after, as SVG."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    panels = [(HEADINGS[metric], [_bars(line, metric) for line in table_lines(metrics)]) for metric in METRICS]
    return environment.get_template("before_after.svg.jinja").render(panels=panels)


def _bars(line: Line, metric: str) -> dict[str, Any]:
    estimates = [(role, line[role][metric]) for role in ("baseline", "student") if line[role] is not None]
    return {"label": f"{line['split']}, k = {line['k']}", "bars": estimates}
