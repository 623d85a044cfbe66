"""The event loop of a step: all tasks finish, and the clock ticks during the work."""

import asyncio
import time

import pytest

from skillmill.data.errors import SkillmillError
from skillmill.flows.runtime import loop
from skillmill.flows.runtime.loop import run


def test_hundreds_of_tasks_are_all_done_and_the_clock_ticks_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[float] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def ask(port: int, number: int) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{number}\n".encode())
        answer = int(await reader.readline())
        writer.close()
        return answer

    async def work() -> list[int]:
        async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            answers = await asyncio.gather(*(ask(port, number) for number in range(300)))
            while not ticks:  # noqa: ASYNC110 - the test waits for the clock
                await asyncio.sleep(0.01)
            return answers

    def tick() -> None:
        ticks.append(time.monotonic())
        raise SkillmillError("a full disk")

    monkeypatch.setattr(loop, "TICK_S", 0.05)
    assert run(work(), tick) == list(range(300))
    assert ticks
