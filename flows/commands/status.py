"""`skillmill status`: show what a run's directory holds."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from skillmill.data.errors import ConfigError
from skillmill.data.store import grade_store, pair_store, sample_store
from skillmill.flows.runtime.workspace import read_state

_RESULTS = ("export", "train/sft", "train/dpo", "report.html")
"""Results of a run, by their paths in `output_dir`."""


def describe_directory(root: Path) -> None:
    """Print what the `output_dir` `root` holds. Raises `ConfigError` if it holds no run."""
    state = read_state(root)
    if not state:
        raise ConfigError(f"{root} holds no run: expected an output_dir with a run.json")
    console = Console()
    console.print(f"{root}: {state.get('status')}" + (f" ({state['reason']})" if state.get("reason") else ""))
    console.print(_plans(root, state.get("plan")))
    gradings = sum(shard.rows for shard in grade_store(root).shards)
    graded = f", {gradings:,} gradings" if gradings else ""
    pairs = pair_store(root)
    plans = dict.fromkeys(shard.plan for shard in pairs.shards)
    kept = sum(table["reason"].null_count for table in pairs.tables(plans, ["reason"]))
    console.print(f"{kept:,} preference pairs{graded}")
    for name in _RESULTS:
        if (root / name).exists():
            console.print(str(root / name))


def _plans(root: Path, current_plan: object) -> Table:
    """Return a table with one row for each plan that has stored rows."""
    samples = sample_store(root)
    table = Table(box=None)
    for column in ("plan", "shards", "cells", "rows", "accepted cells", "next position"):
        table.add_column(column, justify="left" if column == "plan" else "right")
    for plan in dict.fromkeys(shard.plan for shard in samples.shards):
        shards = samples.of_plan(plan)
        cells, rows = sum(shard.cells for shard in shards), sum(shard.rows for shard in shards)
        numbers = (len(shards), cells, rows, sum(shard.accepted for shard in shards), shards[-1].stop)
        current = " (current)" if plan == current_plan else ""
        table.add_row(plan + current, *(f"{number:,}" for number in numbers))
    return table
