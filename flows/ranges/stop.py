"""Stop ranges that run on other machines: a mark in `ranges/`, which each range looks for.

The call that leaves a mark deletes it once its ranges have ended. A call that is killed before that leaves its mark to
the next one, or to `skillmill clean`.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from skillmill.data.errors import SkillmillError
from skillmill.data.files import store_errors
from skillmill.data.remote.url import is_url
from skillmill.flows.ranges.split import FOLDER

if TYPE_CHECKING:
    from skillmill.data.remote.object_store import ObjectStore

EVERY_S = 1.0
"""Seconds between two looks for the mark."""
_MARK = ".stop-"


def ask_to_stop(output_dir: str, call: str) -> None:
    """Leave the mark that stops the ranges of one call of a command. Raises `StoreError` if it cannot be written."""
    if (store := _store(output_dir)) is not None:
        store.write(_key(call), b"")
        return
    path = Path(output_dir, _key(call))
    with store_errors(f"cannot write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@contextmanager
def asked_to_stop(output_dir: str, call: str) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether the mark is there.

    A thread looks for it, because a store may take long to answer. A look that fails is repeated: the range goes on.
    Raises as `ObjectStore` does if the store cannot be opened.
    """
    store, mark = _store(output_dir), _key(call)
    found, ended = threading.Event(), threading.Event()

    def look() -> None:
        while not ended.is_set() and not found.is_set():
            with suppress(SkillmillError, OSError):
                if Path(output_dir, mark).exists() if store is None else store.read(mark) is not None:
                    found.set()
            ended.wait(EVERY_S)

    thread = threading.Thread(target=look, name="stop", daemon=True)
    thread.start()
    try:
        yield found.is_set
    finally:
        ended.set()


def delete_marks(output_dir: str) -> None:
    """Delete the marks of all calls. Raises `StoreError` if one cannot be deleted."""
    if (store := _store(output_dir)) is not None:
        store.delete(f"{FOLDER}/{name}" for name in store.names(FOLDER) if name.startswith(_MARK))
        return
    for path in Path(output_dir, FOLDER).glob(f"{_MARK}*"):
        with store_errors(f"cannot delete {path}"):
            path.unlink(missing_ok=True)


def _store(output_dir: str) -> "ObjectStore | None":
    """Return the store of `output_dir`, None for a folder."""
    if not is_url(output_dir):
        return None
    from skillmill.data.remote.object_store import ObjectStore  # fsspec takes time to import

    return ObjectStore(output_dir)


def _key(call: str) -> str:
    """Return the path of the mark in `output_dir`. It names the call, so that it stops no range of a later one."""
    return f"{FOLDER}/{_MARK}{call}"
