"""From the configuration to a teacher with journal, retries and accounting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from skillmill.teachers.base import Load, Teacher
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines import OpenEngine, engine_module
from skillmill.teachers.engines.shared import close_engines
from skillmill.teachers.middleware.accounting import Counted, Usage
from skillmill.teachers.middleware.batch_tries import BatchTries
from skillmill.teachers.middleware.concurrency import Slots
from skillmill.teachers.middleware.journal import Journal, Journalled, Stored
from skillmill.teachers.middleware.resilience import Resilient

__all__ = ["check_teacher", "close_engines", "open_teacher", "reach_teacher", "teacher_name"]


def teacher_name(config: TeacherConfig) -> str:
    """Return the name of the configured model in plan and rows, without starting anything.

    Raises `ConfigError` or `TeacherError` if the configured model is a file or folder that cannot be read.
    """
    return engine_module(config.kind).engine_name(config)


def check_teacher(config: TeacherConfig) -> None:
    """Check the settings of a model without starting anything.

    Raises `ConfigError` or `TeacherError` for what `open_teacher` would find later.
    """
    engine_module(config.kind).check_engine(config)


async def reach_teacher(config: TeacherConfig, folder: Path) -> None:
    """Raise `TeacherError` if no server listens at the configured address; do nothing for a model without one."""
    if config.base_url is not None:
        async with engine_module(config.kind).open_engine(config, folder):
            pass


@asynccontextmanager
async def open_teacher(config: TeacherConfig, journal: Journal, usage: Usage) -> AsyncIterator[Teacher]:
    """Open the configured teacher for the duration of the block.

    Raises `ConfigError` for settings that the engine rejects and `TeacherError` if it cannot start. Messages name the
    keys of `config.section`.
    """
    async with engine_module(config.kind).open_engine(config, journal.path.parent) as engine:
        if engine.batches is not None:
            engine.batches.forget(journal.__contains__)
            stored = Stored(Counted(engine.teacher, usage, reserving=True), journal, at_once=True)
            with usage.waiting(config.section, engine.batches.progress):
                in_batches = BatchTries(stored, config.max_in_flight, config.retry.tries, usage)
                yield Journalled(in_batches, journal, config.extra_body)
            return
        resilient = Resilient(Stored(Counted(engine.teacher, usage), journal), config.max_in_flight, config.retry)
        async with _following_load(engine, resilient.slots, usage):
            yield Journalled(resilient, journal, config.extra_body)


@asynccontextmanager
async def _following_load(engine: OpenEngine, slots: Slots, usage: Usage) -> AsyncIterator[None]:
    """Adapt `slots` to the load that the engine reports, and count its prefix cache in `usage`."""

    async def observed_load() -> Load | None:
        load = None if engine.load is None else await engine.load()
        if load is not None:
            usage.cache.observe(load.cache_queries, load.cache_hits)
        return load

    if await observed_load() is None:  # before the first request, so that its prompt tokens count too
        yield
        return
    following = asyncio.create_task(slots.follow(observed_load))
    try:
        yield
        await observed_load()  # counts the requests since the last poll
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
