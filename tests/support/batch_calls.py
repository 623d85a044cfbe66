"""Calls of a command, one after another, whose requests go through a batch API."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestServer
from batch_server import BatchServer, Options

from skillmill.teachers.base import Request, Sampling
from skillmill.teachers.build import open_teacher
from skillmill.teachers.config import Retry, TeacherConfig
from skillmill.teachers.engines.batch_api.batch import Pace
from skillmill.teachers.middleware.accounting import Budget, Usage
from skillmill.teachers.middleware.journal import Journal

QUICK = Pace(gather_s=0.02, first_poll_s=0.005, longest_poll_s=0.02, relist_s=0.01, full_s=0.02)
RETRY = Retry(tries=3, first_pause_s=0.001, longest_pause_s=0.005, patience_s=0.2)


def request(text: str, seed: int = 1) -> Request:
    return Request([{"role": "user", "content": text}], Sampling(max_tokens=200), seed)


def questions(count: int) -> list[Request]:
    return [request(f"q{number}") for number in range(count)]


Call = Callable[["Run"], Any]


class Run:
    """One call: a teacher that is open."""

    def __init__(self, teacher: Any, usage: Usage, server: BatchServer) -> None:
        self.teacher, self.usage, self.server = teacher, usage, server

    async def ask(self, requests: list[Request]) -> list[Any]:
        return await asyncio.gather(*map(self.teacher.chat, requests), return_exceptions=True)


def calls(folder: Path, options: Options, *each: Call, budget: Budget | None = None, **config: Any) -> BatchServer:
    """Make one call after another against one server, each with the journal of the ones before."""

    async def run() -> BatchServer:
        server = BatchServer(options)
        async with TestServer(server.app()) as listening:
            settings = TeacherConfig.model_validate(
                {"kind": "openai", "model": "m", "base_url": str(listening.make_url("/v1")), "batch": True}
                | {"retry": RETRY, **config}
            )
            for call in each:
                journal = Journal(folder / "journal.sqlite")
                usage = Usage(budget=budget or Budget())
                try:
                    async with open_teacher(settings, journal, usage) as teacher:
                        await call(Run(teacher, usage, server))
                finally:
                    journal.close()
        return server

    return asyncio.run(run())


def ask(folder: Path, requests: list[Request], budget: Budget | None = None, **options: Any) -> tuple[list[Any], Any]:
    """Ask in one call; return the replies or exceptions, and the server."""
    replies = []

    async def call(run: Run) -> None:
        replies.extend(await run.ask(requests))

    config = {key: options.pop(key) for key in ("max_in_flight",) if key in options}
    return replies, calls(folder, Options(latency=0.01, **options), call, budget=budget, **config)


def submitted(server: BatchServer) -> list[list[str]]:
    """The texts of the requests in each batch."""
    return [[line["body"]["messages"][0]["content"] for line in batch.requests] for batch in server.batches.values()]


def texts(requests: list[Request]) -> list[str]:
    return [each.messages[0]["content"] for each in requests]
