"""From the configuration to a teacher that is journalled, retried and counted.

Each engine is imported where it is chosen: a run needs one of them, and aiohttp alone takes 0.1 s.
"""

import asyncio
import atexit
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import orjson

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.teachers.arrivals import has_line, lines
from skillmill.teachers.base import Reply, Request, Teacher
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.middleware.accounting import Counted, Usage
from skillmill.teachers.middleware.concurrency import Load
from skillmill.teachers.middleware.journal import Journal, Journalled
from skillmill.teachers.middleware.resilience import Resilient

if TYPE_CHECKING:
    from skillmill.teachers.engines.embedded import Embedded
    from skillmill.teachers.engines.served.server import Server
    from skillmill.teachers.engines.vllm import Vllm

    Engine = Embedded | Vllm

_engines: dict[bytes, "Engine"] = {}
"""The in-process engines of this process, by their arguments: started at the first use, shared ever after."""
_starting = Lock()
_servers: dict[str, "Server"] = {}
"""The served commands of this process, likewise."""


def teacher_name(config: TeacherConfig) -> str:
    """The name that stands in the plan and in the rows, without starting anything."""
    if config.kind == "embedded":
        from skillmill.teachers.engines.embedded import embedded_name

        return embedded_name(config.model)
    if config.kind == "vllm":
        from skillmill.teachers.engines.vllm_process.model import vllm_name

        return vllm_name(config.model, config.engine_args)
    return config.model or ""


@asynccontextmanager
async def open_teacher(
    config: TeacherConfig, journal: Journal, usage: Usage, section: str = "teacher"
) -> AsyncIterator[Teacher]:
    """The configured teacher, open for the length of the block. `section`: where in the configuration it stands.

    Raises `ConfigError` for settings that the engine refuses, `TeacherError` when it cannot start.
    """
    async with AsyncExitStack() as stack:
        with naming(section):
            teacher = await stack.enter_async_context(_opened(config, journal, usage))
        yield teacher if section == "teacher" else Named(teacher, section)


@contextmanager
def naming(section: str) -> Iterator[None]:
    """Complaints about `teacher.KEY` name `section.KEY`."""
    try:
        yield
    except (ConfigError, TeacherError) as error:
        raise type(error)(str(error).replace("teacher.", f"{section}.")) from None


class Named:
    """A teacher that stands in another section of the configuration, and complains of that."""

    def __init__(self, teacher: Teacher, section: str) -> None:
        self.name = teacher.name
        self._teacher, self._section = teacher, section

    async def chat(self, request: Request) -> Reply:
        with naming(self._section):
            return await self._teacher.chat(request)


@asynccontextmanager
async def _opened(config: TeacherConfig, journal: Journal, usage: Usage) -> AsyncIterator[Teacher]:
    if config.kind != "openai":
        engine = await asyncio.to_thread(_shared_engine, config)
        yield Journalled(_resilient(engine, config, usage), journal, config.extra_body)
        return
    from skillmill.teachers.engines.openai import OpenAI
    from skillmill.teachers.engines.served.server import Served

    served = None if config.serve is None else await _shared_server(config, journal.path.with_name("serve.log"))
    server = OpenAI(config, served.base_url if served else None)
    resilient = _resilient(server if served is None else Served(server, served), config, usage)
    in_line = lines()
    in_line[server] = False

    async def load() -> Load | None:
        found = await server.load()
        if found is not None:
            usage.cache.observe(found.cache_queries, found.cache_hits)
        in_line[server] = has_line(found)
        return found

    following = asyncio.create_task(resilient.slots.follow(load))
    try:
        if served is None:
            await server.reach()
        yield Journalled(resilient, journal, config.extra_body)
        if not following.done():  # it has metrics: once more, for what a short run asked since the last look
            await load()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        del in_line[server]
        await server.close()


def _resilient(engine: Teacher, config: TeacherConfig, usage: Usage) -> Resilient:
    return Resilient(Counted(engine, usage), config.max_in_flight, config.retry)


async def _shared_server(config: TeacherConfig, log_file: Path) -> "Server":
    """The server of `teacher.serve`, healthy; started at the first use."""
    from skillmill.teachers.engines.served.server import Server

    command = config.serve or ""
    if command not in _servers:
        _servers[command] = Server(command, log_file, config.serve_timeout_s)
    try:
        await _servers[command].ready()
    except TeacherError:
        await asyncio.to_thread(_servers.pop(command).close)
        raise
    return _servers[command]


def _shared_engine(config: TeacherConfig) -> "Engine":
    arguments: dict[str, Any] = {"model": config.model, "engine_args": config.engine_args}
    start: Callable[..., Engine]
    if config.kind == "embedded":
        from skillmill.teachers.engines.embedded import Embedded

        start = Embedded
        arguments["max_in_flight"] = config.max_in_flight
    else:
        from skillmill.teachers.engines.vllm import Vllm, check_vllm_sampling

        start = Vllm
        check_vllm_sampling(config.sampling)
    key = orjson.dumps([config.kind, arguments], option=orjson.OPT_SORT_KEYS)
    with _starting:
        if key not in _engines:
            _engines[key] = start(**arguments)
        return _engines[key]


@atexit.register
def close_engines() -> None:
    """Stop the engines and served commands: their memory and threads are for whoever comes next, such as training."""
    while _engines:
        _engines.popitem()[1].close()
    while _servers:
        _servers.popitem()[1].close()
