"""What `skillmill evaluate` prints."""

from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from skillmill.train.evaluation.instruct.table import EXPLANATION, instruct_columns, instruct_notes
from skillmill.train.evaluation.outputs import FOLDER, HEADINGS, table_lines, with_error
from skillmill.train.evaluation.skill_mix_metrics import METRICS


def print_evaluation(metrics: dict[str, Any], output: str | Path, as_json: bool) -> None:
    """Print the metrics as JSON, or as a table with a line for each split and k."""
    if as_json:
        print(orjson.dumps(metrics, option=orjson.OPT_INDENT_2).decode())
        return
    console = Console(highlight=False, markup=False)
    compared = metrics["baseline"] is not None
    console.print(f"student:  {metrics['models']['student']}", soft_wrap=True)
    if compared:
        console.print(f"baseline: {metrics['models']['baseline']}", soft_wrap=True)
    console.print(_table(metrics, compared))
    words = "before → after ± the standard error" if compared else "± the standard error"
    graded_by = metrics["settings"]["graded_by"]
    console.print(f"{words} over n new cells; graded by {graded_by}", soft_wrap=True)
    if metrics["instruct"]:
        _print_instruct(console, metrics["instruct"])
    console.print(f"{output}/{FOLDER}", soft_wrap=True)


def _print_instruct(console: Console, metrics: dict[str, Any]) -> None:
    headings, *rows = instruct_columns(metrics)
    table = Table(*headings, box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for note in (*instruct_notes(metrics), EXPLANATION):
        console.print(note, soft_wrap=True)


def _table(metrics: dict[str, Any], compared: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    for heading in ("new", "k", "n", *HEADINGS.values()):
        table.add_column(heading, justify="right" if heading in ("k", "n") else "left", no_wrap=True)
    for line in table_lines(metrics):
        cells = [
            f"{line['baseline'][metric]['value']:.2f} → {with_error(line['student'][metric]).replace('± ', '±')}"
            if compared and line["baseline"]
            else with_error(line["student"][metric])
            for metric in METRICS
        ]
        table.add_row(line["split"], line["k"], f"{line['n']:,}", *cells)
    return table
