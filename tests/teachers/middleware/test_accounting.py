"""The costs of a run, counted for each request, and the budget that ends it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.teachers.base import Reply, Request, Sampling, TransientError
from skillmill.teachers.build import open_teacher
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.middleware.accounting import (
    Budget,
    BudgetMet,
    Counted,
    PrefixCache,
    Prices,
    StageUsage,
    Usage,
    total,
)
from skillmill.teachers.middleware.journal import Journal

REPLY = Reply("yes", "stop", prompt_tokens=100, completion_tokens=20, cached_tokens=60, thinking_tokens=5)


class Slow:
    """Replies after 0.02 s; the stage `broken` fails."""

    name = "slow"

    def __init__(self) -> None:
        self.answered = 0

    async def chat(self, request: Request) -> Reply:
        await asyncio.sleep(0.02)
        if request.stage == "broken":
            raise TransientError("not now")
        self.answered += 1
        return REPLY


def request(stage: str = "draft", attempt: int = 0) -> Request:
    return Request([{"role": "user", "content": "?"}], Sampling(), seed=1, stage=stage, attempt=attempt)


def ask(usage: Usage, requests: list[Request], teacher: Slow | None = None) -> list[Any]:
    async def all_at_once() -> list[Any]:
        counted = Counted(teacher or Slow(), usage)
        return await asyncio.gather(*map(counted.chat, requests), return_exceptions=True)

    return asyncio.run(all_at_once())


def test_every_stage_has_its_own_account() -> None:
    usage = Usage()
    ask(usage, [request("draft"), request("draft"), request("review", attempt=1), request("broken", attempt=2)])
    draft = usage.stage("draft")
    assert (draft.calls, draft.prompt_tokens, draft.cached_tokens, draft.completion_tokens) == (2, 200, 120, 40)
    assert draft.thinking_tokens == 10
    assert draft.seconds >= 0.04  # two requests at once: their times add up
    assert (usage.stage("review").retries, usage.stage("review").failures) == (1, 0)
    assert (usage.stage("broken").calls, usage.stage("broken").retries, usage.stage("broken").failures) == (1, 1, 1)
    assert usage.tokens == 3 * 120


def test_cached_tokens_have_a_price_of_their_own_or_that_of_the_others() -> None:
    used = StageUsage(prompt_tokens=1_000_000, cached_tokens=400_000, completion_tokens=500_000)
    assert Prices(input=1, cached=0.1, output=4).of(used) == pytest.approx(0.6 + 0.04 + 2)
    assert Prices(input=1, output=4).of(used) == pytest.approx(1 + 2)
    assert Prices(input=1, cached=0, output=0).of(used) == pytest.approx(0.6)


numbers = st.builds(
    StageUsage, calls=st.integers(0, 99), prompt_tokens=st.integers(0, 10**9), completion_tokens=st.integers(0, 10**9)
)


@given(st.dictionaries(st.sampled_from(["draft", "review", "junk"]), numbers), st.floats(0, 1e6))
def test_an_account_put_away_and_taken_up_is_the_same(stages: dict[str, StageUsage], wall_s: float) -> None:
    usage, later = Usage(stages=stages), Usage()
    later.restore(usage.as_dict(), wall_s)
    assert later.as_dict() == usage.as_dict()
    assert later.total() == total(stages.values())
    assert 0 <= later.wall_s - wall_s < 5


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (Budget(tokens=240), "budget.tokens: 240 of 240 tokens are used"),
        (Budget(money=0.0002), "budget.money: 0.00024 of 0.0002 are spent"),
        (Budget(hours=1.5), "budget.hours: 2.00 of 1.5 hours are over"),
    ],
)
def test_a_cap_that_is_reached_is_named(budget: Budget, message: str) -> None:
    usage = Usage(Prices(input=1, output=1), budget)
    usage.restore({"draft": {"prompt_tokens": 200, "completion_tokens": 40}}, wall_s=7200)
    assert usage.reached_cap() == message
    [met] = ask(usage, [request()])
    assert isinstance(met, BudgetMet)
    assert met.exit_code == 0
    assert str(met) == f"{message}; what was finished is kept, run again with a higher budget to go on"


def test_beyond_the_budget_nothing_is_asked_and_what_is_under_way_gets_its_answer() -> None:
    usage, teacher = Usage(budget=Budget(tokens=500)), Slow()

    async def run() -> None:
        counted = Counted(teacher, usage)
        under_way = [asyncio.create_task(counted.chat(request())) for _ in range(3)]
        await asyncio.sleep(0)
        usage.stage("review").prompt_tokens = 500
        with pytest.raises(BudgetMet, match="500 of 500"):
            await counted.chat(request())
        assert all(task.done() and task.result() == REPLY for task in under_way)

    asyncio.run(run())
    assert teacher.answered == 3


def test_a_reserve_ends_it_before_the_cap() -> None:
    usage = Usage(budget=Budget(tokens=1000))
    usage.stage("draft").prompt_tokens = 900
    assert usage.spent_share == 0.9
    assert usage.reached_cap() == usage.reached_cap(reserve=0.05) == ""
    assert "900 of 1,000" in usage.reached_cap(reserve=0.2)


def test_what_was_cached_is_told_by_the_replies_or_else_by_the_servers_counters() -> None:
    usage = Usage()
    assert usage.cached_share is None
    for queries, hits in ((1000, 900), (1100, 975), (50, 0), (150, 75)):  # other clients before; a restart in between
        usage.cache.observe(queries, hits)
    assert usage.cache == PrefixCache(200, 150, (150, 75))
    assert usage.cached_share == 0.75
    ask(usage, [request()])
    assert usage.cached_share == 0.6


def test_a_servers_prefix_cache_is_read_from_its_metrics(scripted_server: Callable[..., Any], tmp_path: Path) -> None:
    """`vllm serve` reports no cached tokens in its replies by default, but its counters do."""
    usage, journal = Usage(), Journal(tmp_path / "journal.sqlite")
    config = TeacherConfig(kind="openai", base_url=scripted_server(slots=4).base_url, model="m")

    async def run() -> None:
        async with open_teacher(config, journal, usage) as teacher:
            await teacher.chat(request())

    asyncio.run(run())
    assert usage.total().cached_tokens == 0
    assert usage.cached_share == 0.75
