"""The lock of an output directory: one process at a time writes to it, whatever its paths and work directories are.

The lock is `flock` on a file in the directory itself: every name of the directory leads to it, and a process that is
killed leaves it free. The file names the process that holds the lock. At its end a process empties the file, unless it
is killed.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from skillmill.data.errors import StoreError
from skillmill.data.files import store_errors
from skillmill.data.holder import Holder

log = logging.getLogger(__name__)

WORK = ".work"
"""The work directory in `output_dir`; the lock is there even if `work_dir` is another folder."""
LOCK = "lock"
"""The name of a lock file. `work_dir` has one too, because its journal and accounts belong to one run at a time."""
LEDGER = "ledger.json"
"""The file in `work_dir` with the usage of the run so far. It is written every second, so that a kill loses no more."""
PATIENCE_S, POLL_S = 0.5, 0.05
"""How long a run waits for a lock: `skillmill status` takes it for a moment."""


class OutputInUse(StoreError):
    """Another run holds the output directory."""


_held: ContextVar[frozenset[str]] = ContextVar("_held", default=frozenset())


@contextmanager
def hold_output(output: Path, work: Path, url: str | None = None) -> Iterator[None]:
    """Hold the locks of an output directory and its work directory, which are created if they are not there.

    `url`: the name of the output directory in messages, if `output` is a copy. Inside of it, further calls for the same
    output in the same thread pass. Raises `StoreError` if a directory cannot be written, `OutputInUse` if another run
    holds a lock.
    """
    own = output / WORK
    name = os.path.realpath(own)
    if name in _held.get():
        yield
        return
    with ExitStack() as locks:
        locks.enter_context(_locked(own, f"output_dir: {url or output}"))
        if os.path.realpath(work) != name:
            locks.enter_context(_locked(work, f"work_dir: {work}"))
        token = _held.set(_held.get() | {name})
        try:
            yield
        finally:
            _held.reset(token)


def read_holder(output: Path) -> tuple[Holder | None, bool]:
    """Return the process that the lock file of an output directory names, and whether the lock is held now.

    The process is None if the last one was not killed. Only reads, so that the directory may be read-only.
    """
    try:
        with (output / WORK / LOCK).open("rb") as file:
            is_held = not _lock(file.fileno(), fcntl.LOCK_SH)
            return _read(file.fileno()), is_held
    except OSError:
        return None, False


@contextmanager
def _locked(folder: Path, place: str) -> Iterator[None]:
    key, path = place.partition(":")[0], folder / LOCK
    with store_errors(f"{key}: cannot write {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with store_errors(f"{key}: cannot lock {path}, expected a file system with locks (flock)"):
            _wait_for(descriptor, place)
        left_by = _read(descriptor)
        if left_by is not None and not left_by.is_here:
            log.warning(
                f"warning: {place} was last used by {left_by}, which was killed or still runs. If it runs, stop it: "
                "not every network file system shows locks to other hosts"
            )
        with store_errors(f"{key}: cannot write {path}"):
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, Holder.me().as_json, 0)
        try:
            yield
        finally:
            with suppress(OSError):
                os.truncate(descriptor, 0)
    finally:
        os.close(descriptor)  # frees the lock


def _wait_for(descriptor: int, place: str) -> None:
    """Take the lock. Raises `OutputInUse` if another run has it for longer than `PATIENCE_S`."""
    deadline = time.monotonic() + PATIENCE_S
    while not _lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() >= deadline:
            holder = _read(descriptor)
            who = f" ({holder})" if holder else ""
            raise OutputInUse(f"{place} is in use by another run{who}; wait for it, or stop it")
        time.sleep(POLL_S)


def _lock(descriptor: int, how: int) -> bool:
    """Take the lock if it is free; return whether it was. Raises `OSError` if the file system has no locks."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # some file systems say "permission denied" for a lock that is taken
        return False
    return True


def _read(descriptor: int) -> Holder | None:
    return Holder.read(os.pread(descriptor, 4096, 0))
