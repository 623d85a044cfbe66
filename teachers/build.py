"""From the configuration to a teacher that is journalled, retried and counted."""

import asyncio
import atexit
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from skillmill.data.errors import ConfigError
from skillmill.teachers.accounting import Counted, Usage
from skillmill.teachers.base import Teacher
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.embedded import Embedded, embedded_name
from skillmill.teachers.journal import Journal, Journalled
from skillmill.teachers.openai import OpenAI
from skillmill.teachers.resilience import Resilient

_embedded: dict[bytes, Embedded] = {}
"""The in-process engines of this process, by their arguments: started at the first use, shared ever after."""


def teacher_name(config: TeacherConfig) -> str:
    """The name that stands in the plan and in the rows, without starting anything."""
    if config.kind == "embedded":
        return embedded_name(config.model)
    return config.model or ""


@asynccontextmanager
async def open_teacher(config: TeacherConfig, journal: Journal, usage: Usage) -> AsyncIterator[Teacher]:
    """The configured teacher, open for the length of the block.

    Raises `ConfigError` for a kind that is not there yet, `TeacherError` when it cannot start.
    """
    if config.kind == "embedded":
        yield _layers(await asyncio.to_thread(_shared_embedded, config), config, journal, usage)
        return
    if config.kind != "openai":
        raise ConfigError(f"teacher.kind: {config.kind} is not there yet, expected embedded or openai")
    server = OpenAI(config)
    try:
        await server.reach()
        yield _layers(server, config, journal, usage)
    finally:
        await server.close()


def _layers(engine: Teacher, config: TeacherConfig, journal: Journal, usage: Usage) -> Teacher:
    return Journalled(Resilient(Counted(engine, usage), config.max_in_flight), journal, config.extra_body)


def _shared_embedded(config: TeacherConfig) -> Embedded:
    arguments: dict[str, Any] = {
        "model": config.model,
        "max_in_flight": config.max_in_flight,
        "engine_args": config.engine_args,
    }
    key = orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)
    if key not in _embedded:
        _embedded[key] = Embedded(**arguments)
    return _embedded[key]


@atexit.register
def close_engines() -> None:
    """Stop the in-process engines: their memory and threads are for whoever comes next, such as training."""
    while _embedded:
        _embedded.popitem()[1].close()
