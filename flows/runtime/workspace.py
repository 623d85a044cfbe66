"""The output directory of one run, held by one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

from skillmill.data.errors import StoreError
from skillmill.data.files import hidden, store_errors, write_whole
from skillmill.data.store import ShardStore, grade_store, pair_store, sample_store, stress_store
from skillmill.flows.config import Config
from skillmill.teachers.middleware.accounting import Usage
from skillmill.teachers.middleware.journal import Journal


@dataclass(frozen=True)
class Workspace:
    """What the steps of a run share: the configuration, the stores, the journal and the accounting."""

    config: Config
    samples: ShardStore
    pairs: ShardStore
    grades: ShardStore
    stress: ShardStore
    journal: Journal
    usage: Usage


LEDGER = "ledger.json"
"""In `work_dir`: what the run has cost so far. Written every second: a kill forgets no more than that."""


@contextmanager
def open_workspace(config: Config, recover: bool = True) -> Iterator[Workspace]:
    """Lock `output_dir`, clear away what a crash left, open the stores and the journal.

    Without `recover` the stores are left as they are, for somebody who only reads them.
    Raises `StoreError` where the directory cannot be written or another run holds it.
    """
    with store_errors(f"output_dir: cannot write {config.output}"):
        config.output.mkdir(parents=True, exist_ok=True)
        config.work.mkdir(parents=True, exist_ok=True)
    lock = FileLock(config.work / "lock")
    with store_errors(f"output_dir: cannot write {config.work}"):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StoreError(f"output_dir: {config.output} is in use by another run; wait for it, or stop it") from None
    try:
        stores = sample_store(config.output), pair_store(config.output), grade_store(config.output)
        stress = stress_store(config.output)
        for store in (*stores, *[stress] * (config.export.stress is not None)) if recover else ():
            store.recover()
        journal = Journal(config.work / "journal.sqlite")
        try:
            yield Workspace(config, *stores, stress, journal, _usage_so_far(config))
        finally:
            journal.close()
    finally:
        lock.release()


def keep_usage(workspace: Workspace) -> None:
    """Write the ledger: not synced, for a process that dies leaves its writes to the system, and this is often."""
    usage, path = workspace.usage, workspace.config.work / LEDGER
    with store_errors(f"cannot write {path}"):
        hidden(path).write_bytes(orjson.dumps({"usage": usage.as_dict(), "wall_s": usage.wall_s}))
        hidden(path).replace(path)


def read_ledger(config: Config) -> dict[str, Any]:
    """`usage` per stage and `wall_s` of the run so far: the ledger's, else those of `run.json`."""
    try:
        ledger = orjson.loads((config.work / LEDGER).read_bytes())
        return {"usage": ledger["usage"], "wall_s": ledger["wall_s"]}
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        state = read_state(config.output)
        return {"usage": state.get("usage", {}), "wall_s": state.get("totals", {}).get("wall_s", 0.0)}


def _usage_so_far(config: Config) -> Usage:
    ledger = read_ledger(config)
    usage = Usage(config.prices, config.budget)
    usage.restore(ledger["usage"], ledger["wall_s"])
    return usage


def read_state(root: Path) -> dict[str, Any]:
    """What the last run left in `run.json`, {} where there was none."""
    path = root / "run.json"
    if not path.exists():
        return {}
    try:
        state = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        raise StoreError(f"{path} is not JSON: delete it, the data lies elsewhere") from None
    return state if isinstance(state, dict) else {}


def write_state(root: Path, state: dict[str, Any]) -> None:
    write_whole(root / "run.json", orjson.dumps(state, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
