"""The engines: each answers requests, with a model in this process or on a server.

An engine is one module with the three functions of `EngineModule` and one entry in `ENGINES`.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from skillmill.teachers.base import Load, Teacher

if TYPE_CHECKING:
    from skillmill.teachers.config import TeacherConfig

ENGINES = {
    "embedded": "skillmill.teachers.engines.embedded",
    "vllm": "skillmill.teachers.engines.vllm",
    "openai": "skillmill.teachers.engines.openai",
}
"""The module of each `kind`, imported on first use: a run needs one engine, and importing aiohttp takes 0.1 s."""
TRANSFORMERS = "transformers"
"""The engine of students that are evaluated. It is no teacher, because it cannot hold a reply to a JSON schema."""
STUDENT_ENGINES = {**ENGINES, TRANSFORMERS: "skillmill.teachers.engines.transformers_batches"}
"""The engines of `evaluate.student` and `evaluate.baseline`."""


class OpenBatches(Protocol):
    """Requests that wait for batches of a provider."""

    def progress(self) -> str:
        """Return how far the batches are, "" if there are none."""
        ...

    def forget(self, is_answered: Callable[[bytes], bool]) -> None:
        """Drop the answers of earlier batches whose requests, given by their journal keys, are answered."""
        ...


@dataclass(frozen=True, slots=True)
class OpenEngine:
    """An engine that is ready for requests.

    `load` reads its present load; None if the engine reports none. `batches` are given if requests wait for batches.
    """

    teacher: Teacher
    load: Callable[[], Awaitable[Load | None]] | None = None
    batches: OpenBatches | None = None


class EngineModule(Protocol):
    """The three functions that every engine's module has."""

    def engine_name(self, config: "TeacherConfig") -> str:
        """Return the teacher's name for a configuration without starting anything. It is part of plan and rows."""
        ...

    def check_engine(self, config: "TeacherConfig") -> None:
        """Check the settings as far as that needs neither model nor server.

        Raises `ConfigError` or `TeacherError` as `open_engine` does, for faults that are known before.
        """
        ...

    def open_engine(self, config: "TeacherConfig", folder: Path) -> AbstractAsyncContextManager[OpenEngine]:
        """Open the configured engine for the duration of the block; logs go into `folder`.

        Raises `ConfigError` for settings that the engine rejects and `TeacherError` if it cannot start.
        """
        ...


def engine_module(kind: str) -> EngineModule:
    """Import and return the module of the engine `kind`, a key of `STUDENT_ENGINES`."""
    return cast(EngineModule, import_module(STUDENT_ENGINES[kind]))
