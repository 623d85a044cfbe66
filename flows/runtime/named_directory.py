"""Output directories that a command line names, without a configuration: a path or a URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from skillmill.data.remote.url import COPY, cache_folder, checked_directory, is_url
from skillmill.flows.runtime.output_lock import WORK
from skillmill.flows.runtime.remote_output import held_copy_at
from skillmill.flows.runtime.workspace import read_state

if TYPE_CHECKING:
    from skillmill.data.remote.commits import Commit
    from skillmill.data.remote.object_store import ObjectStore
    from skillmill.data.remote.replica import Replica


@dataclass(frozen=True)
class Directory:
    """An output directory that is open.

    `name`: as it was given. `root`: its folder, of a URL that of the copy. `work`: the work folder of its run.
    `replica`: of a URL, unless another process uses the copy.
    """

    name: str
    root: Path
    work: Path
    replica: "Replica | None" = None


@contextmanager
def open_directory(name: str | Path, reads_only: bool) -> Iterator[Directory]:
    """Open an output directory; of a URL its copy on this machine. Raises as `held_copy` does."""
    name = checked_directory(name)
    if not is_url(name):
        yield Directory(name, Path(name), work_folder(name, read_state(Path(name))))
        return
    from skillmill.data.remote.commits import newest_commit  # fsspec takes time to import
    from skillmill.data.remote.object_store import ObjectStore

    store = ObjectStore(name)
    work = work_folder(name, published_state(store, newest_commit(store)))
    with held_copy_at(name, work / COPY, work, reads_only) as replica:
        yield Directory(name, work / COPY, work, replica)


def work_folder(name: str | Path, state: dict[str, Any]) -> Path:
    """Return the folder with the journal, the accounts and the batches of the run at `name`, a path or a URL.

    `state`: the content of its `run.json`. The `work_dir` that it names counts if it is on this machine.
    """
    configured = state.get("configuration", {}).get("work_dir")
    if configured and Path(configured).is_dir():
        return Path(configured)
    return cache_folder(str(name)) if is_url(str(name)) else Path(name) / WORK


def published_state(store: "ObjectStore", commit: "Commit") -> dict[str, Any]:
    """Return the content of the `run.json` that a commit lists, {} if it lists none."""
    entry = commit.tree.get("run.json")
    state: dict[str, Any] = orjson.loads(store.read(entry.key) or b"{}") if entry else {}
    return state
