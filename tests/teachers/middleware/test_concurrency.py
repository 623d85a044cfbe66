"""The adaptive number of requests in flight: properties of the decisions, and the slots."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.teachers.base import Load
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.openai import OpenAI
from skillmill.teachers.middleware import concurrency
from skillmill.teachers.middleware.concurrency import Aimd, Follower, Slots

loads = st.builds(
    Load, st.integers(0, 2000), st.integers(0, 2000), st.floats(0, 1), st.integers(0, 50).map(float)
)  # fmt: skip


def played(ceiling: int, outcomes: list[bool]) -> list[float]:
    state, limits = Aimd(ceiling, ceiling), []
    for rejected in outcomes:
        state = state.after(rejected)
        limits.append(state.limit)
    return limits


@given(st.integers(1, 2000), st.lists(st.booleans(), max_size=300))
def test_the_limit_stays_between_one_and_the_ceiling(ceiling: int, outcomes: list[bool]) -> None:
    assert all(1 <= limit <= ceiling for limit in played(ceiling, outcomes))


@given(st.integers(1, 500), st.integers(0, 300))
def test_a_server_that_never_complains_is_as_full_as_with_a_fixed_number(ceiling: int, answers: int) -> None:
    assert set(played(ceiling, [False] * answers)) <= {ceiling}


@given(st.integers(4, 500), st.lists(st.booleans(), min_size=1, max_size=1000))
def test_it_falls_at_most_once_a_round_trip_and_never_by_more_than_half(ceiling: int, outcomes: list[bool]) -> None:
    limits = [float(ceiling), *played(ceiling, outcomes)]
    cuts = [place for place, (a, b) in enumerate(itertools.pairwise(limits)) if b < a]
    assert all(b >= a / 2 for a, b in itertools.pairwise(limits))
    assert all(later - earlier >= int(limits[later]) for earlier, later in itertools.pairwise(cuts))


def test_a_server_that_refuses_all_brings_it_to_one_and_an_answer_back_up() -> None:
    assert played(64, [True] * 200)[-1] == 1
    state = Aimd(64, 1.0)
    limits = []
    for _ in range(64 * 40):
        state = state.after(False)
        limits.append(state.limit)
    assert limits[-1] == 64
    assert all(b - a <= 2 for a, b in itertools.pairwise(limits))  # 1/32 of the ceiling in each round


def test_a_stray_refusal_costs_next_to_nothing() -> None:
    assert min(played(96, ([True] + [False] * 19) * 500)) >= 90


@pytest.mark.parametrize("room", [10, 64, 200])
def test_it_settles_where_the_server_takes_it(room: int) -> None:
    """A server that accepts `room` requests at once and rejects the rest."""
    state = Aimd(256, 256.0)
    for _ in range(200):
        for place in range(int(state.limit)):
            state = state.after(rejected=place >= room)
    assert room * 0.8 <= state.limit <= room * 1.3 + 2 * 256 / 32


@given(st.integers(1, 2000), st.lists(loads, max_size=20))
def test_following_an_engine_stays_between_one_and_the_ceiling(ceiling: int, seen: list[Load]) -> None:
    state = Follower(ceiling, ceiling)
    for load in seen:
        before, state = state, state.after(load)
        assert 1 <= state.limit <= ceiling
        assert state.limit >= before.limit // 2 or load.preemptions


@given(st.integers(8, 1024), st.integers(1, 1024))
def test_an_engine_with_slots_gets_a_queue_that_is_short_and_never_empty(ceiling: int, slots: int) -> None:
    state = Follower(ceiling, ceiling)
    for _ in range(60):
        state = state.after(Load(min(slots, state.limit), max(0, state.limit - slots)))
    waiting = state.limit - slots
    if ceiling > slots:
        assert 1 <= waiting <= max(concurrency.DEEP_QUEUE * slots, 1) + 1
    else:
        assert state.limit == ceiling


def test_a_burst_that_is_admitted_step_by_step_is_no_deep_queue() -> None:
    state = Follower(256, 256)
    for running in (10, 60, 200, 256, 256):
        state = state.after(Load(running, 256 - running))
    assert state.limit == 256


def test_an_engine_that_preempts_gets_less_and_a_full_cache_no_more() -> None:
    state = Follower(256, 200).after(Load(200, 0, 0.99, 3))
    assert state.limit == 200  # no request waits, but the KV cache is full
    assert state.after(Load(200, 0, 0.99, 4)).limit == 180
    assert state.after(Load(100, 0, 0.50, 3)).limit == 251


def test_slots_are_given_in_order_and_survive_whoever_stops_waiting() -> None:
    async def run() -> list[int]:
        slots, order = Slots(2), []

        async def use(number: int) -> None:
            async with slots:
                order.append(number)
                assert slots.used <= 2
                await asyncio.sleep(0.001)

        tasks = [asyncio.create_task(use(number)) for number in range(10)]
        await asyncio.sleep(0)
        for number in (3, 5):
            tasks[number].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert slots.used == 0
        return order

    assert asyncio.run(run()) == [0, 1, 2, 4, 6, 7, 8, 9]


def test_a_slot_that_comes_with_the_cancellation_goes_on_to_the_next() -> None:
    async def run() -> None:
        slots = Slots(1)

        async def use() -> None:
            async with slots:
                pass

        await slots.__aenter__()
        first, second = asyncio.create_task(use()), asyncio.create_task(use())
        await asyncio.sleep(0)
        await slots.__aexit__()  # admits `first`, which has not run since
        first.cancel()
        await asyncio.wait_for(second, 1)
        assert first.cancelled()
        assert slots.used == 0

    asyncio.run(run())


def test_a_real_server_with_metrics_is_followed(
    scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 requests for 8 slots: the queue in the engine shrinks from 56 to a few requests and does not run empty."""
    from skillmill.teachers.base import Request, Sampling
    from skillmill.teachers.middleware.resilience import Resilient

    monkeypatch.setattr(concurrency, "POLL_S", 0.05)
    server = scripted_server(slots=8, latency=0.1)
    queue_lengths: list[int] = []

    async def run() -> None:
        engine = OpenAI(TeacherConfig(kind="openai", base_url=server.base_url, model="m"))
        resilient = Resilient(engine, 64)
        following = asyncio.create_task(resilient.slots.follow(engine.load))
        requests = [Request([{"role": "user", "content": str(i)}], Sampling(), i) for i in range(600)]
        asking = asyncio.gather(*map(resilient.chat, requests))
        while resilient.slots.limit > 16 and not asking.done():  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.7)  # requests above the new limit end
        for _ in range(10):
            queue_lengths.append((await asyncio.to_thread(server.stats))["waiting"])
            await asyncio.sleep(0.03)
        assert resilient.slots.limit <= 16
        asking.cancel()
        following.cancel()
        await asyncio.gather(asking, following, return_exceptions=True)
        await engine.close()

    asyncio.run(run())
    assert server.stats()["most_waiting"] > 40
    assert max(queue_lengths) <= 8
    assert sum(length > 0 for length in queue_lengths) >= 7


def test_a_server_without_metrics_is_not_polled(scripted_server: Callable[..., Any]) -> None:
    async def run() -> None:
        engine = OpenAI(TeacherConfig(kind="openai", base_url=scripted_server().base_url, model="m"))
        await asyncio.wait_for(Slots(8).follow(engine.load), 5)
        await engine.close()

    asyncio.run(run())
