"""The workspace: the output directory of a run, locked by one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import StoreError
from skillmill.data.files import store_errors, temporary_path, write_atomic
from skillmill.data.store import ShardStore, grade_store, pair_store, sample_store, stress_store
from skillmill.flows.config import Config
from skillmill.flows.runtime.output_lock import LEDGER, hold_output
from skillmill.flows.runtime.remote_output import held_copy
from skillmill.teachers.middleware.accounting import Usage
from skillmill.teachers.middleware.journal import Journal


@dataclass(frozen=True)
class Workspace:
    """What the steps of a run share: configuration, stores, journal and accounting."""

    config: Config
    samples: ShardStore
    pairs: ShardStore
    grades: ShardStore
    stress: ShardStore
    journal: Journal
    usage: Usage


@contextmanager
def open_workspace(config: Config, recover: bool = True) -> Iterator[Workspace]:
    """Lock `output_dir`, remove leftovers of a crash, open the stores and the journal.

    If `output_dir` is a URL, its copy is published after each shard and at the end (`remote_output.py`).
    `recover=False` leaves leftovers alone, for a caller that only reads the stores. Raises `StoreError` if the
    directory cannot be written or another run has locked it.
    """
    with held_copy(config) as replica, hold_output(config.output, config.work):
        stores = sample_store(config.output), pair_store(config.output), grade_store(config.output)
        stress = stress_store(config.output)
        for store in (*stores, *[stress] * (config.export.stress is not None)) if recover else ():
            store.recover()
        if replica is not None:
            for store in (*stores, stress):
                store.after_commit = partial(replica.publish, (*stores, stress))
        journal = Journal(journal_path(config))
        try:
            yield Workspace(config, *stores, stress, journal, _usage_so_far(config))
        finally:
            journal.close()


def journal_path(config: Config) -> Path:
    """Return the file of the reply journal."""
    return config.work / "journal.sqlite"


def keep_usage(workspace: Workspace) -> None:
    """Write the ledger.

    It is not synced: it is written often, and the writes of a killed process still reach the disk.
    """
    usage, path = workspace.usage, workspace.config.work / LEDGER
    with store_errors(f"cannot write {path}"):
        temporary_path(path).write_bytes(orjson.dumps({"usage": usage.as_dict(), "wall_s": usage.wall_s}))
        temporary_path(path).replace(path)


def read_ledger(config: Config) -> dict[str, Any]:
    """Return `usage` per stage and `wall_s` of the run so far, from the ledger or else from `run.json`."""
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
    """Return the content of `run.json`, {} if there is none. Raises `StoreError` if it is not JSON."""
    path = root / "run.json"
    if not path.exists():
        return {}
    try:
        state = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        raise StoreError(f"{path} is not JSON: delete it, the data lies elsewhere") from None
    return state if isinstance(state, dict) else {}


def write_state(root: Path, state: dict[str, Any]) -> None:
    """Replace `run.json`."""
    write_atomic(root / "run.json", orjson.dumps(state, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
