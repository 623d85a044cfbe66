"""`output_dir` as commands open it: a path as it is, a URL as its copy on this machine, which is published."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from skillmill.data.errors import SkillmillError
from skillmill.data.remote.url import is_url
from skillmill.flows.config import Config
from skillmill.flows.runtime.output_lock import LEDGER, OutputInUse, hold_output

if TYPE_CHECKING:
    from skillmill.data.remote.replica import Replica

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Step = Callable[Concatenate[Config, Arguments], Result]
"""A function whose first argument is a configuration."""


@dataclass(frozen=True)
class _Opened:
    replica: "Replica"
    reads_only: bool


_opened: ContextVar[dict[str, _Opened]] = ContextVar("_opened", default={})  # noqa: B039  # never changed in place


def at_output(step: Step[Arguments, Result]) -> Step[Arguments, Result]:
    """Bring the copy of a URL up to date before a step, and publish it after the step."""
    return _decorated(step, reads_only=False)


def reads_output(step: Step[Arguments, Result]) -> Step[Arguments, Result]:
    """Bring the copy of a URL up to date before a step, which publishes nothing."""
    return _decorated(step, reads_only=True)


@contextmanager
def held_copy(config: Config, reads_only: bool = False) -> Iterator["Replica | None"]:
    """Hold the copy of `output_dir` if that is a URL: it is of the newest commit, and published at the end.

    Inside of it, further calls pass, and publish at their ends. With `reads_only` nothing is published, and a copy that
    another process holds is read as it is.

    Raises `ConfigError` if the package of the store is missing, `StoreError` if the store refuses something or another
    machine has published meanwhile, `OutputInUse` if another process of this machine holds the copy.
    """
    if not is_url(config.output_dir):
        yield None
        return
    with held_copy_at(config.output_dir, config.output, config.work, reads_only) as replica:
        yield replica


@contextmanager
def held_copy_at(url: str, output: Path, work: Path, reads_only: bool) -> Iterator["Replica | None"]:
    """Hold the copy in the folder `output` of the directory at a URL, as `held_copy` does."""
    key = os.path.realpath(output)
    if (opened := _opened.get().get(key)) is not None:
        with _published(opened.replica, opened.reads_only or reads_only):
            yield opened.replica
        return
    from skillmill.data.remote.replica import Replica  # fsspec and the package of the store take time to import

    replica = Replica(url, output, work)
    with ExitStack() as stack:
        if not _can_hold(stack, url, output, work, reads_only):
            yield None
            return
        if replica.open(writes=not reads_only):
            (work / LEDGER).unlink(missing_ok=True)  # the accounts are those of the run.json that was fetched
        token = _opened.set(_opened.get() | {key: _Opened(replica, reads_only)})
        try:
            with _published(replica, reads_only):
                yield replica
        finally:
            _opened.reset(token)
            if not reads_only:
                with suppress(SkillmillError):
                    replica.close()


def _decorated(step: Step[Arguments, Result], reads_only: bool) -> Step[Arguments, Result]:
    @wraps(step)
    def call(config: Config, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with held_copy(config, reads_only):
            return step(config, *args, **kwargs)

    return call


def _can_hold(stack: ExitStack, url: str, output: Path, work: Path, reads_only: bool) -> bool:
    """Take the lock of the copy; return False if another process has it and the caller only reads."""
    try:
        stack.enter_context(hold_output(output, work, url))
    except OutputInUse:
        if not reads_only:
            raise
        return False
    return True


@contextmanager
def _published(replica: "Replica", reads_only: bool) -> Iterator[None]:
    """Publish the copy at the end of a block, also if it raises."""
    if reads_only:
        yield
        return
    try:
        yield
    except BaseException:
        with suppress(SkillmillError):  # what led here is the error to tell
            replica.publish()
        raise
    replica.publish()
