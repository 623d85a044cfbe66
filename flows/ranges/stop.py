"""Stop ranges that run on other machines: a mark beside them, which each range looks for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from skillmill.data.errors import SkillmillError
from skillmill.data.files import store_errors
from skillmill.data.remote.url import is_url
from skillmill.flows.config import Config
from skillmill.flows.ranges.split import FOLDER

if TYPE_CHECKING:
    from skillmill.data.remote.object_store import ObjectStore

EVERY_S = 1.0
"""Seconds between two looks for the mark."""


def ask_to_stop(config: Config, call: str) -> None:
    """Leave the mark that stops the ranges of one call of a command. Raises `StoreError` if it cannot be written."""
    if (store := _store(config)) is not None:
        store.write(_mark(config, call), b"")
        return
    path = config.output / _mark(config, call)
    with store_errors(f"cannot write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@contextmanager
def asked_to_stop(config: Config, call: str) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether the mark is there.

    A thread looks for it, because a store may take long to answer. A look that fails is repeated: the range goes on.
    Raises as `ObjectStore` does if the store cannot be opened.
    """
    store, mark = _store(config), _mark(config, call)
    found, ended = threading.Event(), threading.Event()

    def look() -> None:
        while not ended.is_set() and not found.is_set():
            with suppress(SkillmillError, OSError):
                if (config.output / mark).exists() if store is None else store.read(mark) is not None:
                    found.set()
            ended.wait(EVERY_S)

    thread = threading.Thread(target=look, name="stop", daemon=True)
    thread.start()
    try:
        yield found.is_set
    finally:
        ended.set()


def _store(config: Config) -> "ObjectStore | None":
    """Return the store of `output_dir`, None for a folder."""
    if not is_url(config.output_dir):
        return None
    from skillmill.data.remote.object_store import ObjectStore  # fsspec takes time to import

    return ObjectStore(config.output_dir)


def _mark(config: Config, call: str) -> str:
    """Return the path of the mark in `output_dir`. It names the call, so that it stops no range of a later one."""
    return f"{FOLDER}/{config.generation.samples}/.stop-{call}"
