"""`skillmill status`: show what a run's directory holds."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from skillmill.data.errors import ConfigError
from skillmill.data.store import grade_store, pair_store, sample_store
from skillmill.flows.runtime.batch_settings import unfinished_batches
from skillmill.flows.runtime.output_lock import read_holder
from skillmill.flows.runtime.workspace import read_state

_RESULTS = ("export", "train/sft", "train/dpo", "train/kto", "train/grpo", "report.html")
"""Results of a run, by their paths in `output_dir`."""


def describe_directory(root: Path) -> None:
    """Print what the `output_dir` `root` holds. Raises `ConfigError` if it holds no run."""
    state = read_state(root)
    if not state:
        raise ConfigError(f"{root} holds no run: expected an output_dir with a run.json")
    console = Console()
    console.print(Text(f"{root}: {_status(root, state)}"), soft_wrap=True)
    console.print(_plans(root, state.get("plan")))
    gradings = sum(shard.rows for shard in grade_store(root).shards)
    graded = f", {gradings:,} gradings" if gradings else ""
    pairs = pair_store(root)
    plans = dict.fromkeys(shard.plan for shard in pairs.shards)
    kept = sum(table["reason"].null_count for table in pairs.tables(plans, ["reason"]))
    console.print(f"{kept:,} preference pairs{graded}")
    for section, records in unfinished_batches(root / ".work"):
        requests = sum(record.requests for record in records)
        names = ", ".join(record.batch_id or "not submitted" for record in records)
        console.print(Text(f"{section}: {requests:,} requests in batches without an answer so far ({names})"))
    for name in _RESULTS:
        if (root / name).exists():
            console.print(str(root / name))


def _status(root: Path, state: dict[str, Any]) -> str:
    """Return the status in `run.json`, or what the lock shows: a process that is killed writes no status."""
    status, reason = str(state.get("status")), state.get("reason")
    holder, is_held = read_holder(root)
    if is_held:
        return f"running ({holder})" if holder else "running"
    if holder is not None and not holder.is_here:
        return f"running on another host, or killed there ({holder})"
    if holder is not None or status == "running":
        before = "" if status == "running" else f"; before that: {status}"
        return f"interrupted (its process was killed or the disk was full; the same command goes on{before})"
    return f"{status} ({reason})" if reason else status


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
