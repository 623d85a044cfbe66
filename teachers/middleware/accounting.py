"""The costs of a run: calls, tokens, money and time of each stage, and the budget that ends the run."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from skillmill.data.errors import SkillmillError
from skillmill.data.text.surrogates import without_surrogates
from skillmill.teachers.base import Reply, Request, RequestFailed, Teacher, TransientError
from skillmill.teachers.engines.chat_api.token_counts import estimated_tokens

ENOUGH_REPLIES = 100
"""Replies of a stage from which the size of its next one is predicted."""
MARGIN = 1.1
"""Factor on a predicted size."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class StageUsage:
    """Totals of one stage. Each retry counts as a call; a failure is a call without a reply.

    `cached_tokens` are part of `prompt_tokens`, `thinking_tokens` of `completion_tokens`. `seconds` is the sum of the
    times that requests spent in the engine, so it exceeds wall time when several run at once. `replaced_characters` are
    characters of replies that are no Unicode text (lone surrogates, invalid UTF-8) and were replaced by U+FFFD.
    `estimated_calls` are calls whose token counts the server did not report.
    """

    calls: int = 0
    retries: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    thinking_tokens: int = 0
    seconds: float = 0.0
    replaced_characters: int = 0
    estimated_calls: int = 0

    def add(self, reply: Reply) -> None:
        """Add the token counts of one reply."""
        self.prompt_tokens += reply.prompt_tokens
        self.cached_tokens += reply.cached_tokens
        self.completion_tokens += reply.completion_tokens
        self.thinking_tokens += reply.thinking_tokens
        self.estimated_calls += reply.estimated

    def include(self, numbers: Mapping[str, float]) -> None:
        """Add totals by field."""
        for name, value in numbers.items():
            setattr(self, name, getattr(self, name) + value)


class Prices(BaseModel):
    """Money per million tokens. If `cached` is None, cached tokens have the price of other prompt tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(0, ge=0)
    cached: float | None = Field(None, ge=0)
    output: float = Field(0, ge=0)

    def of(self, used: StageUsage) -> float:
        """Return the price of the tokens of one stage."""
        cached = self.input if self.cached is None else self.cached
        fresh = used.prompt_tokens - used.cached_tokens
        return (fresh * self.input + used.cached_tokens * cached + used.completion_tokens * self.output) / 1e6


class Budget(BaseModel):
    """Caps on the whole run: prompt and completion tokens together, money, hours of work."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: int | None = Field(None, ge=1)
    money: float | None = Field(None, gt=0)
    hours: float | None = Field(None, gt=0)


class BudgetMet(SkillmillError):
    """A step that ends because the budget is used up. It can be continued with a higher budget."""

    exit_code = 0

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; what was finished is kept, run again with a higher budget to go on")
        self.reason = reason


@dataclass(slots=True)
class PrefixCache:
    """The use of a server's prefix cache, from its own counters, for servers whose replies report no cached tokens.

    `queries` and `hits` are prompt tokens since the first observation, over all clients of the server. A restart of the
    server, which sets its counters to 0, adds nothing.
    """

    queries: float = 0.0
    hits: float = 0.0
    _last: tuple[float, float] | None = None

    def observe(self, queries: float, hits: float) -> None:
        """Take in the present values of the counters."""
        if self._last is not None and queries >= self._last[0] and hits >= self._last[1]:
            self.queries += queries - self._last[0]
            self.hits += hits - self._last[1]
        self._last = queries, hits

    @property
    def share(self) -> float | None:
        """The share of the queried prompt tokens that were in the cache, None before the first query."""
        return self.hits / self.queries if self.queries else None


@dataclass(slots=True)
class Usage:
    """Totals of each stage over the requests that reached an engine; replies from the journal are not counted.

    The totals include earlier commands of the run: `restore` adds what `as_dict` and `wall_s` returned then. `running`
    is the number of requests in the engine now; `idle` is set when there are none. `reserved` are the tokens that
    requests in batches may take.
    """

    prices: Prices | None = None
    budget: Budget = field(default_factory=Budget)
    stages: dict[str, StageUsage] = field(default_factory=dict)
    running: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    cache: PrefixCache = field(default_factory=PrefixCache)
    reserved: StageUsage = field(default_factory=StageUsage)
    _waiting: dict[str, Callable[[], str]] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    def restore(self, stages: Mapping[str, Mapping[str, Any]], wall_s: float) -> None:
        """Set the stages to earlier totals and add earlier seconds of work; unknown fields are ignored."""
        known = {key.name for key in fields(StageUsage)}
        for name, numbers in stages.items():
            self.stages[name] = StageUsage(**{key: value for key, value in numbers.items() if key in known})
        self._began -= wall_s

    def include(self, parts: Sequence["Usage"]) -> None:
        """Add the totals of parts of the run that were worked on at the same time, and the longest of their times."""
        for part in parts:
            self.add(part.as_dict())
        self._began -= max((part.wall_s for part in parts), default=0.0)

    def add(self, stages: Mapping[str, Mapping[str, float]]) -> None:
        """Add totals of stages by field, such as those of `as_dict`."""
        for name, numbers in stages.items():
            self.stage(name).include(numbers)

    @property
    def wall_s(self) -> float:
        """Seconds of work on the run, earlier commands included."""
        return time.monotonic() - self._began

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together, which `budget.tokens` caps."""
        return sum(stage.prompt_tokens + stage.completion_tokens for stage in self.stages.values())

    @property
    def money(self) -> float | None:
        """The money spent, None without prices."""
        return sum(map(self.prices.of, self.stages.values())) if self.prices else None

    def stage(self, name: str) -> StageUsage:
        """Return the totals of a stage, which may be changed in place."""
        return self.stages.setdefault(name, StageUsage())

    def total(self) -> StageUsage:
        """Return the totals over all stages."""
        return total(self.stages.values())

    @property
    def cached_share(self) -> float | None:
        """The share of prompt tokens from the prefix cache, None if unknown.

        It is computed from the replies, or from the server's counters if the replies report no cached tokens.
        """
        summed = self.total()
        return summed.cached_tokens / summed.prompt_tokens if summed.cached_tokens else self.cache.share

    def as_dict(self) -> dict[str, dict[str, float]]:
        """Return the totals of each stage as plain data, sorted by name."""
        return {name: asdict(stage) for name, stage in sorted(self.stages.items())}

    @contextmanager
    def waiting(self, section: str, progress: Callable[[], str]) -> Iterator[None]:
        """Show what `progress` returns in `waits_for` for the duration of the block."""
        self._waiting[section] = progress
        try:
            yield
        finally:
            del self._waiting[section]

    @property
    def waits_for(self) -> str:
        """How far the batches are that requests wait for, "" if there are none."""
        parts = [(section, progress()) for section, progress in self._waiting.items()]
        return "; ".join(f"{section}: {words}" for section, words in parts if words)

    def expected(self, request: Request) -> StageUsage:
        """Return the tokens that a request may take, by the replies of its stage, or `max_tokens` without enough."""
        used = self.stages.get(request.stage)
        if used is not None and (replies := used.calls - used.failures) >= ENOUGH_REPLIES:
            share = MARGIN / replies
            return StageUsage(
                prompt_tokens=int(used.prompt_tokens * share), completion_tokens=int(used.completion_tokens * share)
            )
        prompt = sum(estimated_tokens(message["content"]) for message in request.messages)
        return StageUsage(prompt_tokens=prompt, completion_tokens=request.sampling.max_tokens)

    def lacks_room(self, expected: StageUsage) -> str:
        """Describe the cap that a further request may exceed, requests in batches counted; "" if there is none."""
        caps, coming = self.budget, total([self.reserved, expected])
        tokens = coming.prompt_tokens + coming.completion_tokens
        if caps.tokens is not None and self.tokens + tokens > caps.tokens:
            used = f"{self.tokens:,} of {caps.tokens:,} tokens are used"
            return f"budget.tokens: {used}, and a request may take {tokens:,}"
        price, spent = self.prices.of(coming) if self.prices else 0.0, self.money or 0.0
        if caps.money is not None and spent + price > caps.money:
            return f"budget.money: {spent:,.4g} of {caps.money:,g} are spent, and a request may take {price:,.4g}"
        return ""

    def reached_cap(self, reserve: float = 0.0) -> str:
        """Describe the cap that is reached; "" while more than the share `reserve` of tokens and money is left."""
        caps, share = self.budget, 1 - reserve
        if caps.tokens is not None and self.tokens >= share * caps.tokens:
            return f"budget.tokens: {self.tokens:,} of {caps.tokens:,} tokens are used"
        if caps.money is not None and (self.money or 0) >= share * caps.money:
            return f"budget.money: {self.money or 0:,.4g} of {caps.money:,g} are spent"
        if caps.hours is not None and self.wall_s >= caps.hours * 3600:
            return f"budget.hours: {self.wall_s / 3600:.2f} of {caps.hours:g} hours are over"
        return ""

    @property
    def spent_share(self) -> float:
        """The used share of the cap on tokens or money, the larger of the two; 0 without such a cap."""
        return self.share(self.total()) if self.has_cap else 0.0

    @property
    def has_cap(self) -> bool:
        """Whether there is a cap on tokens or money."""
        return self.budget.tokens is not None or self.budget.money is not None

    def share(self, used: StageUsage) -> float:
        """Return the share of the cap on tokens or money, the larger of the two; 0 without such a cap."""
        caps, shares = self.budget, [0.0]
        if caps.tokens is not None:
            shares.append((used.prompt_tokens + used.completion_tokens) / caps.tokens)
        if caps.money is not None and self.prices is not None:
            shares.append(self.prices.of(used) / caps.money)
        return max(shares)


def total(stages: Iterable[StageUsage]) -> StageUsage:
    """Return the sum of several `StageUsage`."""
    summed = StageUsage()
    for stage in stages:
        summed.include(asdict(stage))
    return summed


class Counted:
    """A teacher that counts its requests in `usage` and sends none after the budget is used up.

    The budget is checked before a request is sent, so it is exceeded by at most the requests in flight. With
    `reserving`, which is for the many requests of a batch, a request waits as long as those in flight may need what is
    left, and is not sent if it alone may need more.
    """

    def __init__(self, teacher: Teacher, usage: Usage, reserving: bool = False) -> None:
        self.name = teacher.name
        self._teacher, self._usage, self._warned = teacher, usage, False
        self._reserving = reserving and usage.has_cap

    async def chat(self, request: Request) -> Reply:
        """Answer one request and count it.

        Raises `BudgetMet` if the budget is used up, after all requests in flight have ended.
        """
        if not self._reserving:
            return await self._counted(request)
        usage, expected = self._usage, self._usage.expected(request)
        while lacking := usage.lacks_room(expected):
            if not usage.running:
                raise BudgetMet(lacking)
            await usage.idle.wait()
            expected = usage.expected(request)
        usage.reserved = total([usage.reserved, expected])
        try:
            return await self._counted(request)
        finally:
            usage.reserved.prompt_tokens -= expected.prompt_tokens
            usage.reserved.completion_tokens -= expected.completion_tokens

    async def _counted(self, request: Request) -> Reply:
        usage = self._usage
        if reason := usage.reached_cap():
            while usage.running:
                await usage.idle.wait()
            raise BudgetMet(reason)
        stage = usage.stage(request.stage)
        usage.running += 1
        usage.idle.clear()
        start = time.monotonic()
        try:
            reply = await self._teacher.chat(request)
        except (RequestFailed, TransientError):
            stage.failures += 1
            raise
        finally:
            stage.calls += 1
            stage.retries += request.attempt > 0
            stage.seconds += time.monotonic() - start
            usage.running -= 1
            if not usage.running:
                usage.idle.set()
        if reply.estimated and not usage.total().estimated_calls:
            log.warning(
                "teacher: %s reports no token counts: tokens, money and the budget are estimated from the texts "
                "(run.json counts estimated_calls)",
                self.name,
            )
        stage.add(reply)
        return self._encodable(reply, stage)

    def _encodable(self, reply: Reply, stage: StageUsage) -> Reply:
        """Return the reply with U+FFFD for each lone surrogate, which cannot be written as UTF-8; count them."""
        (text, in_text), (thinking, in_thinking) = without_surrogates(reply.text), without_surrogates(reply.thinking)
        if not in_text + in_thinking:
            return reply
        stage.replaced_characters += in_text + in_thinking
        if not self._warned:
            self._warned = True
            log.warning(
                "teacher: %s sent text that is not valid Unicode: each such character is replaced by U+FFFD and "
                "counted in run.json (replaced_characters)",
                self.name,
            )
        return replace(reply, text=text, thinking=thinking)
