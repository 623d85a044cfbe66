"""What a run costs: calls, tokens, money and time per stage, and the budget that ends it."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from skillmill.data.errors import SkillmillError
from skillmill.teachers.base import Reply, Request, RequestFailed, Teacher, TransientError


@dataclass(slots=True)
class StageUsage:
    """Totals of one stage. A retry is a call of its own; a failure is a call without a reply.

    Cached tokens are part of the prompt tokens, thinking tokens of the completion tokens. `seconds` sums the time
    that each request was with the engine, so it exceeds wall time when several run at once.
    """

    calls: int = 0
    retries: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    thinking_tokens: int = 0
    seconds: float = 0.0

    def add(self, reply: Reply) -> None:
        """Count what one reply holds."""
        self.prompt_tokens += reply.prompt_tokens
        self.cached_tokens += reply.cached_tokens
        self.completion_tokens += reply.completion_tokens
        self.thinking_tokens += reply.thinking_tokens


class Prices(BaseModel):
    """Money per million tokens. Without a price of their own, cached tokens cost what other prompt tokens do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(0, ge=0)
    cached: float | None = Field(None, ge=0)
    output: float = Field(0, ge=0)

    def of(self, used: StageUsage) -> float:
        cached = self.input if self.cached is None else self.cached
        fresh = used.prompt_tokens - used.cached_tokens
        return (fresh * self.input + used.cached_tokens * cached + used.completion_tokens * self.output) / 1e6


class Budget(BaseModel):
    """Caps over the whole run, all its calls together: prompt and completion tokens, money, hours of work."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: int | None = Field(None, ge=1)
    money: float | None = Field(None, gt=0)
    hours: float | None = Field(None, gt=0)


class BudgetMet(SkillmillError):
    """Ends a step, not in failure: what was asked is in the journal, a higher budget goes on."""

    exit_code = 0

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; what was finished is kept, run again with a higher budget to go on")
        self.reason = reason


@dataclass(slots=True)
class PrefixCache:
    """What a server's own counters tell of its prefix cache, where its replies tell no cached tokens.

    Counted from the first observation on, over all that ask the server; a restart begins its counters anew.
    """

    queries: float = 0.0
    hits: float = 0.0
    _last: tuple[float, float] | None = None

    def observe(self, queries: float, hits: float) -> None:
        """Take in the counters as they stand."""
        if self._last is not None and queries >= self._last[0] and hits >= self._last[1]:
            self.queries += queries - self._last[0]
            self.hits += hits - self._last[1]
        self._last = queries, hits

    @property
    def share(self) -> float | None:
        """Of the prompt tokens that were looked for, those found; None before any was."""
        return self.hits / self.queries if self.queries else None


@dataclass(slots=True)
class Usage:
    """Totals per stage of what was really asked; replies out of the journal cost nothing and are not in it.

    Earlier calls of the run are part of it: `restore` takes up what `as_dict` and `wall_s` gave then.
    """

    prices: Prices | None = None
    budget: Budget = field(default_factory=Budget)
    stages: dict[str, StageUsage] = field(default_factory=dict)
    running: int = 0
    """Requests that are with an engine now."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    cache: PrefixCache = field(default_factory=PrefixCache)
    _began: float = field(default_factory=time.monotonic)

    def restore(self, stages: Mapping[str, Mapping[str, Any]], wall_s: float) -> None:
        known = {key.name for key in fields(StageUsage)}
        for name, numbers in stages.items():
            self.stages[name] = StageUsage(**{key: value for key, value in numbers.items() if key in known})
        self._began -= wall_s

    @property
    def wall_s(self) -> float:
        """Seconds that the run has been worked on."""
        return time.monotonic() - self._began

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together: what `budget.tokens` caps."""
        return sum(stage.prompt_tokens + stage.completion_tokens for stage in self.stages.values())

    @property
    def money(self) -> float | None:
        """None without prices."""
        return sum(map(self.prices.of, self.stages.values())) if self.prices else None

    def stage(self, name: str) -> StageUsage:
        return self.stages.setdefault(name, StageUsage())

    def total(self) -> StageUsage:
        return total(self.stages.values())

    @property
    def cached_share(self) -> float | None:
        """The share of the prompt tokens out of the engine's cache: by its replies, else by its counters, else None."""
        summed = self.total()
        return summed.cached_tokens / summed.prompt_tokens if summed.cached_tokens else self.cache.share

    def as_dict(self) -> dict[str, dict[str, float]]:
        return {name: asdict(stage) for name, stage in sorted(self.stages.items())}

    def met(self, reserve: float = 0.0) -> str:
        """Which cap is reached, in words; "" while more than the share `reserve` of tokens and money is left."""
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
        """The share of the tokens or of the money that is used, whichever is larger; 0 without such a cap."""
        caps, shares = self.budget, [0.0]
        if caps.tokens is not None:
            shares.append(self.tokens / caps.tokens)
        if caps.money is not None:
            shares.append((self.money or 0) / caps.money)
        return max(shares)


def total(stages: Iterable[StageUsage]) -> StageUsage:
    """The sum of several `StageUsage`."""
    summed = StageUsage()
    for stage in stages:
        for key, value in asdict(stage).items():
            setattr(summed, key, getattr(summed, key) + value)
    return summed


class Counted:
    """A teacher whose requests are counted in `usage`, and that asks nothing beyond the budget.

    The budget is checked before a request goes out, so it is exceeded by at most what is in flight then.
    """

    def __init__(self, teacher: Teacher, usage: Usage) -> None:
        self.name = teacher.name
        self._teacher, self._usage = teacher, usage

    async def chat(self, request: Request) -> Reply:
        """Raises `BudgetMet`, once every request that is under way has its answer."""
        usage = self._usage
        if reason := usage.met():
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
        stage.add(reply)
        return reply
