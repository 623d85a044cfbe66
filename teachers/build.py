"""From the configuration to a teacher that is journalled, retried and counted."""

import asyncio
import atexit
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from skillmill.data.errors import TeacherError
from skillmill.teachers.accounting import Counted, Usage
from skillmill.teachers.base import Teacher
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.embedded import Embedded, embedded_name
from skillmill.teachers.journal import Journal, Journalled
from skillmill.teachers.openai import OpenAI
from skillmill.teachers.resilience import Resilient
from skillmill.teachers.serve import Served, Server
from skillmill.teachers.vllm import Vllm, check_vllm_sampling
from skillmill.teachers.vllm_model import vllm_name

_engines: dict[bytes, Embedded | Vllm] = {}
"""The in-process engines of this process, by their arguments: started at the first use, shared ever after."""
_starting = Lock()
_servers: dict[str, Server] = {}
"""The served commands of this process, likewise."""


def teacher_name(config: TeacherConfig) -> str:
    """The name that stands in the plan and in the rows, without starting anything."""
    if config.kind == "embedded":
        return embedded_name(config.model)
    if config.kind == "vllm":
        return vllm_name(config.model, config.engine_args)
    return config.model or ""


@asynccontextmanager
async def open_teacher(config: TeacherConfig, journal: Journal, usage: Usage) -> AsyncIterator[Teacher]:
    """The configured teacher, open for the length of the block.

    Raises `ConfigError` for settings that the engine refuses, `TeacherError` when it cannot start.
    """
    if config.kind != "openai":
        engine = await asyncio.to_thread(_shared_engine, config)
        yield Journalled(_resilient(engine, config, usage), journal, config.extra_body)
        return
    served = None if config.serve is None else await _shared_server(config, journal.path.with_name("serve.log"))
    server = OpenAI(config, served.base_url if served else None)
    resilient = _resilient(server if served is None else Served(server, served), config, usage)
    following = asyncio.create_task(resilient.slots.follow(server.load))
    try:
        if served is None:
            await server.reach()
        yield Journalled(resilient, journal, config.extra_body)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await server.close()


def _resilient(engine: Teacher, config: TeacherConfig, usage: Usage) -> Resilient:
    return Resilient(Counted(engine, usage), config.max_in_flight, config.retry)


async def _shared_server(config: TeacherConfig, log_file: Path) -> Server:
    """The server of `teacher.serve`, healthy; started at the first use."""
    command = config.serve or ""
    if command not in _servers:
        _servers[command] = Server(command, log_file, config.serve_timeout_s)
    try:
        await _servers[command].ready()
    except TeacherError:
        await asyncio.to_thread(_servers.pop(command).close)
        raise
    return _servers[command]


def _shared_engine(config: TeacherConfig) -> Embedded | Vllm:
    arguments: dict[str, Any] = {"model": config.model, "engine_args": config.engine_args}
    if config.kind == "embedded":
        arguments["max_in_flight"] = config.max_in_flight
    else:
        check_vllm_sampling(config.sampling)
    key = orjson.dumps([config.kind, arguments], option=orjson.OPT_SORT_KEYS)
    with _starting:
        if key not in _engines:
            _engines[key] = Embedded(**arguments) if config.kind == "embedded" else Vllm(**arguments)
        return _engines[key]


@atexit.register
def close_engines() -> None:
    """Stop the engines and served commands: their memory and threads are for whoever comes next, such as training."""
    while _engines:
        _engines.popitem()[1].close()
    while _servers:
        _servers.popitem()[1].close()
