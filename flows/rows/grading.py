"""Who grades the rows of a run, and by which settings they were graded."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import orjson

from skillmill.filters.grading.config import GradingConfig
from skillmill.filters.grading.grade import Grader
from skillmill.filters.grading.rubric import prompts
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan
from skillmill.flows.runtime.in_order import rows_at_once
from skillmill.flows.runtime.progress import say
from skillmill.teachers.base import Reply, Request, Teacher
from skillmill.teachers.build import open_teacher, teacher_name
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.middleware.accounting import Usage
from skillmill.teachers.middleware.journal import Journal


@dataclass(frozen=True)
class Grading:
    """Which rows are graded, and by whom; `grader` is None where rules alone decide."""

    config: GradingConfig
    grader: Grader | None = None


def grader_config(config: Config) -> TeacherConfig:
    """The grader's settings; without a grader of its own a run's teacher grades."""
    return config.grader or config.teacher


@asynccontextmanager
async def open_grader(
    config: Config, journal: Journal, usage: Usage, teacher: Teacher | None = None
) -> AsyncIterator[Teacher]:
    """The grader, journalled, budgeted and retried as every teacher is; `teacher` itself where it is open and grades.

    Raises as `open_teacher` does.
    """
    if config.grader is None and teacher is not None:
        yield teacher
        return
    section = "teacher" if config.grader is None else "grader"
    async with open_teacher(grader_config(config), journal, usage, section) as grader:
        yield grader


@asynccontextmanager
async def open_grading(
    config: Config, plan: Plan, journal: Journal, usage: Usage, teacher: Teacher | None = None, late: bool = False
) -> AsyncIterator[Grading | None]:
    """The grading of a run, None where there is none. `late`: the grader is opened at the first question, if any."""
    if not asks_a_model(config, plan):
        yield None if config.grading.when == "never" else Grading(config.grading)
        return

    def opening() -> AbstractAsyncContextManager[Teacher]:
        return open_grader(config, journal, usage, teacher)

    settings = grader_config(config)
    async with _late(teacher_name(settings), opening) if late else opening() as asked:
        yield Grading(config.grading, Grader(asked, settings.sampling, config.grading.runs))


def asks_a_model(config: Config, plan: Plan) -> bool:
    """Whether there is anything to ask a grader: some skill of the plan has no rule."""
    return config.grading.when != "never" and any(skill.checker is None for skill in plan.combinations.skills)


def graded_at_once(config: Config, plan: Plan) -> int:
    """How many rows may be under way where rows are only graded."""
    return rows_at_once(grader_config(config).max_in_flight) if asks_a_model(config, plan) else 1


def made_at_once(config: Config, plan: Plan) -> int:
    """How many rows may be under way where they are made and graded: those that wait for another grader come on top."""
    apart = config.grader is not None and asks_a_model(config, plan)
    return rows_at_once(config.teacher.max_in_flight) + (rows_at_once(grader_config(config).max_in_flight) * apart)


def warn_of_own_work(config: Config, plan: Plan) -> None:
    """One line where the teacher grades what it wrote itself."""
    if config.grader is None and asks_a_model(config, plan):
        say("warning: grader: null: the teacher grades its own work, and models favour what they wrote themselves")


def grading_fingerprints(config: Config) -> dict[str, str]:
    """Of what is graded and of the grader, for `run.json`; none where nothing is.

    How many runs there are is not the grader's: of more runs the first are the same.
    """
    if config.grading.when == "never":
        return {}
    settings = grader_config(config)
    asked = [teacher_name(settings), settings.sampling.model_dump(), settings.extra_body, prompts()]
    return {"grading": _hashed(config.grading.model_dump()), "grader": _hashed(asked)}


def _hashed(value: object) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


class _Late:
    """A teacher that is opened at the first question: nothing starts, and no server is missed, where nobody asks."""

    def __init__(self, name: str, opening: Callable[[], AbstractAsyncContextManager[Teacher]]) -> None:
        self.name = name
        self.stack = AsyncExitStack()
        self._teacher: Teacher | None = None
        self._opening, self._lock = opening, asyncio.Lock()

    async def chat(self, request: Request) -> Reply:
        async with self._lock:
            if self._teacher is None:
                self._teacher = await self.stack.enter_async_context(self._opening())
        return await self._teacher.chat(request)


@asynccontextmanager
async def _late(name: str, opening: Callable[[], AbstractAsyncContextManager[Teacher]]) -> AsyncIterator[Teacher]:
    grader = _Late(name, opening)
    async with grader.stack:
        yield grader
