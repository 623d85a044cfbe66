"""The event loop of a step: all tasks finish, the clock ticks during the work, and a signal ends it."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator

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


class Ended(BaseException):
    """What the handler of the signal raises, as Prefect's does."""


@pytest.fixture
def handler() -> Iterator[Callable[..., None]]:
    """A handler of SIGTERM that raises `Ended`."""

    def end(*_: object) -> None:
        raise Ended

    before = signal.signal(signal.SIGTERM, end)
    yield end
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("where", ["callback", "tick", "work"])
def test_what_a_signal_raises_ends_the_work_wherever_it_comes(
    handler: Callable[..., None], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    cleaned = []

    async def work() -> None:
        try:
            if where == "callback":  # where asyncio drops an exception
                asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGTERM)
            elif where == "work":
                signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(5)
        finally:
            cleaned.append(where)

    def tick() -> None:
        if where == "tick":
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(loop, "TICK_S", 0.05)
    with pytest.raises(Ended):
        run(work(), tick)
    assert cleaned == [where]
    assert signal.getsignal(signal.SIGTERM) is handler  # Prefect cancels a flow run only if its handler is there
