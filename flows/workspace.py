"""The output directory of one run, held by one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

from skillmill.data.errors import StoreError
from skillmill.data.files import store_errors, write_whole
from skillmill.data.store import ShardStore, pair_store, sample_store
from skillmill.flows.config import Config
from skillmill.teachers.accounting import Usage
from skillmill.teachers.journal import Journal


@dataclass(frozen=True)
class Workspace:
    """What the steps of a run share: the configuration, the stores, the journal and the accounting."""

    config: Config
    samples: ShardStore
    pairs: ShardStore
    journal: Journal
    usage: Usage = field(default_factory=Usage)


@contextmanager
def open_workspace(config: Config) -> Iterator[Workspace]:
    """Lock `output_dir`, clear away what a crash left, open the stores and the journal.

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
        samples, pairs = sample_store(config.output), pair_store(config.output)
        samples.recover()
        pairs.recover()
        journal = Journal(config.work / "journal.sqlite")
        try:
            yield Workspace(config, samples, pairs, journal)
        finally:
            journal.close()
    finally:
        lock.release()


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
