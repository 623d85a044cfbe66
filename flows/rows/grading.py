"""Open the grader of a run, and fingerprint the settings that rows were graded by."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import orjson

from skillmill.filters.grading.config import GradingConfig
from skillmill.filters.grading.failures import FailureWarning
from skillmill.filters.grading.grade import Grader
from skillmill.filters.grading.rubric import grading_prompts
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan
from skillmill.flows.runtime.in_order import rows_at_once
from skillmill.teachers.base import Reply, Request, Teacher
from skillmill.teachers.build import open_teacher, teacher_name
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.middleware.accounting import BudgetMet, Usage
from skillmill.teachers.middleware.journal import Journal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GradingSetup:
    """Which rows are graded, and by which grader; `grader` is None if every skill has a rule.

    `warning` takes in all gradings.
    """

    config: GradingConfig
    warning: FailureWarning
    grader: Grader | None = None


def grader_config(config: Config) -> TeacherConfig:
    """Return the grader's settings; without a `grader` section these are the teacher's."""
    return config.grader or config.teacher


@asynccontextmanager
async def open_grader(
    config: Config, journal: Journal, usage: Usage, teacher: Teacher | None = None
) -> AsyncIterator[Teacher]:
    """Open the grader with journal, budget and retries; yield `teacher` if that is open and grades.

    Raises as `open_teacher` does.
    """
    if config.grader is None and teacher is not None:
        yield teacher
        return
    async with open_teacher(grader_config(config), journal, usage) as grader:
        yield grader


@asynccontextmanager
async def open_grading(
    config: Config, plan: Plan, journal: Journal, usage: Usage, teacher: Teacher | None = None, lazy: bool = False
) -> AsyncIterator[GradingSetup | None]:
    """Open the grading of a run; yield None if `grading.when` is never.

    `lazy` opens the grader at the first request, so that a run without requests needs no server.
    """
    warning = FailureWarning(config.grading.failure_rule)
    if not asks_a_model(config, plan):
        yield None if config.grading.when == "never" else GradingSetup(config.grading, warning)
        return

    def opening() -> AbstractAsyncContextManager[Teacher]:
        return open_grader(config, journal, usage, teacher)

    settings = grader_config(config)
    async with _open_lazily(teacher_name(settings), opening) if lazy else opening() as model:
        try:
            yield GradingSetup(config.grading, warning, run_grader(config, model))
        except BudgetMet:
            warning.end()
            raise
        warning.end()


def run_grader(config: Config, model: Teacher) -> Grader:
    """Return the grader of a run that sends its requests to `model`. Raises `ConfigError` for bad prompts."""
    grading = config.grading
    sampling = grader_config(config).sampling
    return Grader(model, sampling, grading.runs, grading.rubric, grading_prompts(grading.prompts))


def asks_a_model(config: Config, plan: Plan) -> bool:
    """Return whether grading sends requests to a model: it is on, and some skill of the plan has no rule."""
    return config.grading.when != "never" and any(skill.checker is None for skill in plan.combinations.skills)


def graded_at_once(config: Config) -> int:
    """Return how many rows to run at once if rows are only graded."""
    return rows_at_once(grader_config(config).max_in_flight)


def generated_at_once(config: Config, plan: Plan) -> int:
    """Return how many rows to run at once if rows are generated and graded.

    A grader of its own adds rows, since those that wait for it leave the teacher idle.
    """
    own_grader = config.grader is not None and asks_a_model(config, plan)
    waiting = rows_at_once(grader_config(config).max_in_flight) if own_grader else 0
    return rows_at_once(config.teacher.max_in_flight) + waiting


def warn_of_self_grading(config: Config, plan: Plan) -> None:
    """Warn in one line if the teacher grades its own answers."""
    if config.grader is None and asks_a_model(config, plan):
        log.warning(
            "warning: grader: null: the teacher grades its own work, and models favour what they wrote themselves"
        )


def grading_fingerprints(config: Config) -> dict[str, str]:
    """Return the fingerprints of the grading settings and of the grader for `run.json`, {} if nothing is graded.

    The number of gradings a row (`grading.runs`) is no part of the grader: the first replies stay the same.
    """
    if config.grading.when == "never":
        return {}
    settings, prompts = grader_config(config), grading_prompts(config.grading.prompts)
    grader = [teacher_name(settings), settings.sampling.model_dump(), settings.extra_body, prompts.fingerprint]
    grading = config.grading.model_dump(exclude={"on_failure", "prompts"})
    # Rows that an earlier version decided were kept without a grade, and its fingerprint had no such key.
    if (rule := config.grading.failure_rule) != "keep":
        grading["on_failure"] = rule
    return {"grading": _fingerprint(grading), "grader": _fingerprint(grader)}


def _fingerprint(value: object) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


class _LazyTeacher:
    """A teacher that is opened at its first request."""

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
async def _open_lazily(
    name: str, opening: Callable[[], AbstractAsyncContextManager[Teacher]]
) -> AsyncIterator[Teacher]:
    teacher = _LazyTeacher(name, opening)
    async with teacher.stack:
        yield teacher
