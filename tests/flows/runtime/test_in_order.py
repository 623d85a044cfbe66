"""The window slides: order kept, bound held, failures loud, nothing left running."""

import asyncio
import random
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.flows.runtime.in_order import in_order


async def collect(results: AsyncIterator[Any]) -> list[Any]:
    return [result async for result in results]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 40), st.integers())
def test_results_come_in_order_and_the_window_holds(n: int, in_flight: int, lead: int, seed: int) -> None:
    pauses, running, most = random.Random(seed), 0, 0

    async def make(i: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(pauses.randrange(5)):
            await asyncio.sleep(0)
        running -= 1
        return i * i

    assert asyncio.run(collect(in_order(range(n), make, in_flight, lead))) == [i * i for i in range(n)]
    assert most <= min(in_flight, lead)


def test_an_endless_stream_stops_at_what_is_needed_and_starts_nothing_beyond() -> None:
    started: list[int] = []
    good = 0

    def note(result: int) -> None:
        nonlocal good
        good += result % 3 == 0

    async def make(i: int) -> int:
        started.append(i)
        await asyncio.sleep(0)
        return i

    results = in_order(count(), make, 8, 100, still_needed=lambda: 10 - good, finished=note)
    collected = asyncio.run(collect(results))
    assert sum(i % 3 == 0 for i in collected) == 10
    assert collected == started == list(range(28))  # 0, 3, …, 27 are ten; 28 was never asked


def test_a_slow_first_row_does_not_stop_the_others_up_to_the_lead() -> None:
    started: list[int] = []
    release = asyncio.Event()

    async def make(i: int) -> int:
        started.append(i)
        if i == 0:
            await release.wait()
        elif i == 29:
            release.set()
        return i

    assert asyncio.run(collect(in_order(range(100), make, 4, 30))) == list(range(100))
    assert max(started[:30]) == 29


def test_a_failure_is_raised_after_the_results_before_it_and_stops_the_others() -> None:
    cancelled: list[int] = []

    async def make(i: int) -> int:
        if i == 3:
            await asyncio.sleep(0)
            raise ValueError("three")
        if i > 3:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(i)
                raise
        return i

    async def run() -> list[int]:
        seen: list[int] = []
        with pytest.raises(ValueError, match="three"):
            async for result in in_order(range(10), make, 5, 50):
                seen.append(result)
        assert len(asyncio.all_tasks()) == 1
        return seen

    assert asyncio.run(run()) == [0, 1, 2]
    assert cancelled
