"""The loop of a step: much in flight is read together, little at once, and nothing is lost."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import pytest

from skillmill.data.errors import SkillmillError
from skillmill.flows import loop
from skillmill.flows.loop import FEW_OPEN, Gathering, run


@contextmanager
def pipes(count: int) -> Iterator[tuple[Gathering, list[int]]]:
    """A selector that watches so many pipes, and their ends to write to."""
    with ExitStack() as stack:
        selector, ends = Gathering(), []
        stack.callback(selector.close)
        for _ in range(count):
            reading, writing = os.pipe()
            stack.callback(os.close, reading)
            stack.callback(os.close, writing)
            selector.register(reading, 1)
            ends.append(writing)
        yield selector, ends


@pytest.mark.parametrize(("watched", "together"), [(FEW_OPEN + 1, 2), (FEW_OPEN, 1)])
def test_what_comes_shortly_after_is_read_with_it_where_much_is_in_flight(watched: int, together: int) -> None:
    with patch.object(loop, "GATHER_S", 2.0), pipes(watched) as (selector, ends):
        os.write(ends[0], b"an answer")
        later = threading.Timer(0.2, os.write, (ends[1], b"the next one"))
        later.start()
        assert len(selector.select(10)) == together
        later.join()
        assert len(selector.select(0)) == 2


def test_a_loop_with_something_to_do_does_not_wait() -> None:
    with patch.object(loop, "GATHER_S", 30.0), pipes(FEW_OPEN + 1) as (selector, _):
        begun = time.monotonic()
        assert selector.select(0) == selector.select(0.01) == []
        assert time.monotonic() - begun < 10


def test_it_waits_as_long_as_it_was_told_and_wakes_up_for_what_comes_late() -> None:
    with pipes(FEW_OPEN + 1) as (selector, ends):
        begun = time.monotonic()
        assert selector.select(0.2) == []
        assert time.monotonic() - begun + 0.01 >= 0.2
        later = threading.Timer(0.2, os.write, (ends[0], b"late"))
        later.start()
        assert len(selector.select()) == 1
        later.join()


def test_hundreds_of_tasks_are_all_done_and_the_clock_ticks_beside_them() -> None:
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
            while not ticks:  # noqa: ASYNC110 - the clock is what is looked at
                await asyncio.sleep(0.01)
            return answers

    def tick() -> None:
        ticks.append(time.monotonic())
        raise SkillmillError("a full disk")

    with patch.object(loop, "TICK_S", 0.05):
        assert run(work(), tick) == list(range(300))
    assert ticks
