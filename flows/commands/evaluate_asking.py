"""Ask a student for the rows of an evaluation: of cells, or of held-out instructions."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

from skillmill.data.errors import ConfigError
from skillmill.flows.config import Config
from skillmill.flows.runtime.in_order import in_order, rows_at_once
from skillmill.flows.runtime.loop import run
from skillmill.flows.runtime.progress import Pace, Progress
from skillmill.flows.runtime.workspace import Workspace, keep_usage
from skillmill.teachers.base import Teacher
from skillmill.teachers.build import check_teacher, close_engines, open_teacher
from skillmill.teachers.config import GraderConfig, TeacherConfig
from skillmill.teachers.engines import TRANSFORMERS

Item = TypeVar("Item")
Row = TypeVar("Row")
Examine = Callable[[Item], Awaitable[Row]]


@dataclass(frozen=True)
class Models:
    """The settings of the models that a part of an evaluation asks; None for one that it does not ask."""

    student: TeacherConfig | None
    grader: TeacherConfig | None

    @property
    def at_once(self) -> int:
        """How many rows to run at once. Rows that wait for the grader leave the student idle, so it adds some."""
        return sum(rows_at_once(each.max_in_flight) for each in (self.student, self.grader) if each) or 1


def configured_grader(config: Config, asked_by: str) -> GraderConfig:
    """Return the settings of the grader, checked. Raises `ConfigError` if there is none."""
    if config.grader is None:
        raise ConfigError(
            f"grader: missing, and {asked_by}; expected a model that grades, such as {{kind: openai, base_url: …, "
            "model: …}"
        )
    check_teacher(config.grader)
    return config.grader


def ask(
    workspace: Workspace,
    progress: Progress,
    what: str,
    models: Models,
    items: Sequence[Item],
    examine_with: Callable[[Teacher | None, Teacher | None], Examine[Item, Row]],
) -> list[Row]:
    """Return the row of each item, in their order. Replies in the journal are not asked for again.

    `examine_with` takes the open student and grader and returns the function that makes a row. `what` names the items
    on the line of progress. The student's engine is closed at the end, because the next one needs the memory.
    """
    rows: list[Row] = []
    pace, done = Pace(workspace.usage), 0

    def finished(_: Row) -> None:
        nonlocal done
        done += 1
        pace.at((done, len(items)))

    def tick() -> None:
        progress.line(f"{what}: {done} of {len(items)}", pace.text())
        keep_usage(workspace)

    async def ask_all() -> None:
        async with _opened(workspace, models.student) as student, _opened(workspace, models.grader) as grader:
            stream = in_order(items, examine_with(student, grader), models.at_once, lead=len(items), finished=finished)
            async with aclosing(stream):
                async for row in stream:
                    rows.append(row)

    pace.at((0, len(items)))
    try:
        with _quiet(models.student):
            run(ask_all(), tick)
    finally:
        keep_usage(workspace)
        close_engines()
    return rows


@asynccontextmanager
async def _opened(workspace: Workspace, model: TeacherConfig | None) -> AsyncIterator[Teacher | None]:
    if model is None:
        yield None
        return
    async with open_teacher(model, workspace.journal, workspace.usage) as teacher:
        yield teacher


def _quiet(model: TeacherConfig | None) -> AbstractContextManager[None]:
    """Return the context without progress bars of transformers; importing it takes seconds, which others need not."""
    if model is None or model.kind != TRANSFORMERS:
        return nullcontext()
    from skillmill.train.quiet import offline_and_quiet

    return offline_and_quiet()
