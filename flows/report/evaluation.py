"""The report's section on the last evaluation of a student."""

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from skillmill.train.evaluation.outputs import cells_of, headings, plot, read_metrics, table_lines


@dataclass(frozen=True)
class EvaluationSection:
    """What `skillmill evaluate` found: the models by role, a table, and the plot as SVG."""

    models: dict[str, str]
    graded_by: str
    headings: list[str]
    rows: list[list[str]]
    plot: Markup


def evaluation_section(output: Path) -> EvaluationSection | None:
    """Return the section, None if the run has no evaluation."""
    metrics = read_metrics(output)
    if metrics is None:
        return None
    return EvaluationSection(
        models=metrics["models"],
        graded_by=metrics["settings"]["graded_by"],
        headings=["new", "k", "n", *headings(metrics)],
        rows=[[line["split"], line["k"], f"{line['n']:,}", *cells_of(line)] for line in table_lines(metrics)],
        plot=Markup(plot(metrics)),  # noqa: S704 (our own template, which escapes the names in it)
    )
