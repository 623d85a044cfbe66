"""`skillmill status`: show what a run's directory holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from skillmill.data.errors import ConfigError
from skillmill.data.remote.url import COPY, checked_directory, is_url
from skillmill.data.store import Shard, grade_store, pair_store, sample_store
from skillmill.flows.ranges.split import FOLDER
from skillmill.flows.runtime.batch_settings import unfinished_batches
from skillmill.flows.runtime.named_directory import published_state, work_folder
from skillmill.flows.runtime.output_lock import read_holder
from skillmill.flows.runtime.workspace import read_state

_RESULTS = ("export", "train/sft", "train/dpo", "train/kto", "train/grpo", "report.html")
"""Results of a run, by their paths in `output_dir`."""


@dataclass(frozen=True)
class _Range:
    """A range of a plan that is generated apart, and how far it has come."""

    name: str
    status: str
    cells: int
    accepted: int
    work: Path


@dataclass(frozen=True)
class _Directory:
    """What a directory holds.

    `state`: the content of `run.json`. `results`: those of `_RESULTS` that are there. `ranges`: those in a folder; on a
    store each range is a directory of its own.
    """

    status: str
    state: dict[str, Any]
    samples: Sequence[Shard]
    gradings: int
    pairs: int
    results: Sequence[str]
    ranges: Sequence[_Range] = ()


def describe_directory(name: str | Path) -> None:
    """Print what the `output_dir` `name`, a path or a URL, holds. Raises `ConfigError` if it holds no run."""
    name = checked_directory(name)
    held = _on_a_store(name) if is_url(name) else _in_a_folder(Path(name))
    if held is None:
        raise ConfigError(f"{name} holds no run: expected an output_dir with a run.json")
    console = Console()
    console.print(Text(f"{name}: {held.status}"), soft_wrap=True)
    if held.ranges:
        console.print(_ranges(held.ranges))
    for each in held.ranges:
        _print_batches(console, f"range {each.name}: ", each.work)
    if not held.state:
        return
    console.print(_plans(held.samples, held.state.get("plan")))
    graded = f", {held.gradings:,} gradings" if held.gradings else ""
    console.print(f"{held.pairs:,} preference pairs{graded}")
    _print_batches(console, "", work_folder(name, held.state))
    for result in held.results:
        console.print(f"{name}/{result}" if is_url(name) else str(Path(name) / result), soft_wrap=True)


def _in_a_folder(root: Path) -> _Directory | None:
    state, ranges = read_state(root), _ranges_in(root)
    if not state and not ranges:
        return None
    pairs = pair_store(root)
    plans = dict.fromkeys(shard.plan for shard in pairs.shards)
    return _Directory(
        status=_status(root, state) if state else "ranges that are not merged yet",
        state=state,
        samples=sample_store(root).shards,
        gradings=sum(shard.rows for shard in grade_store(root).shards),
        pairs=sum(table["reason"].null_count for table in pairs.tables(plans, ["reason"])),
        results=[name for name in _RESULTS if (root / name).exists()],
        ranges=ranges,
    )


def _ranges_in(root: Path) -> list[_Range]:
    ranges = []
    for folder in sorted(root.glob(f"{FOLDER}/*/*-of-*"), key=lambda each: (each.parent, int(each.name.split("-")[0]))):
        shards, state = sample_store(folder).shards, read_state(folder)
        status = _status(folder, state) if state else "not begun"
        cells, accepted = sum(shard.cells for shard in shards), sum(shard.accepted for shard in shards)
        ranges.append(
            _Range(f"{folder.parent.name}/{folder.name}", status, cells, accepted, work_folder(folder, state))
        )
    return ranges


def _on_a_store(url: str) -> _Directory | None:
    """Read the newest commit and `run.json`; the pairs are those of the last export. No shard is fetched."""
    from skillmill.data.remote.commits import newest_commit  # fsspec takes time to import
    from skillmill.data.remote.object_store import ObjectStore
    from skillmill.data.remote.replica import read_writer

    store = ObjectStore(url)
    commit = newest_commit(store)
    state = published_state(store, commit)
    if not state:
        return None
    shards = [entry.shard for entry in commit.tree.values() if entry.shard]
    status, reason = str(state.get("status")), state.get("reason")
    if writer := read_writer(store):
        is_here = read_holder(work_folder(url, state) / COPY)[1]
        status = f"{'running' if is_here else 'running, or killed'} ({writer}); last commit at {commit.time}"
    elif reason:
        status = f"{status} ({reason})"
    return _Directory(
        status=status,
        state=state,
        samples=[shard for shard in shards if shard.file.startswith("shards/")],
        gradings=sum(shard.rows for shard in shards if shard.file.startswith("grades/")),
        pairs=state.get("funnel", {}).get("pairs", 0),
        results=[name for name in _RESULTS if any(f"{path}/".startswith(f"{name}/") for path in commit.tree)],
    )


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


def _print_batches(console: Console, of: str, work: Path) -> None:
    for section, batches, requests in unfinished_batches(work):
        names = ", ".join(each or "not submitted" for each in batches)
        console.print(f"{of}{section}: {requests:,} requests without an answer in batches ({names})", soft_wrap=True)


def _ranges(ranges: Sequence[_Range]) -> Table:
    """Return a table with one row for each range."""
    table = Table(box=None)
    for column in ("range", "cells", "accepted cells", "status"):
        table.add_column(column, justify="right" if "cells" in column else "left")
    for each in ranges:
        table.add_row(each.name, f"{each.cells:,}", f"{each.accepted:,}", Text(each.status))
    return table


def _plans(samples: Sequence[Shard], current_plan: object) -> Table:
    """Return a table with one row for each plan that has stored rows."""
    table = Table(box=None)
    for column in ("plan", "shards", "cells", "rows", "accepted cells", "next position"):
        table.add_column(column, justify="left" if column == "plan" else "right")
    for plan in dict.fromkeys(shard.plan for shard in samples):
        shards = [shard for shard in samples if shard.plan == plan]
        cells, rows = sum(shard.cells for shard in shards), sum(shard.rows for shard in shards)
        stop = max(shard.stop for shard in shards)
        numbers = (len(shards), cells, rows, sum(shard.accepted for shard in shards), stop)
        current = " (current)" if plan == current_plan else ""
        table.add_row(plan + current, *(f"{number:,}" for number in numbers))
    return table
