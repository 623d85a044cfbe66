"""How far a run is: one live line on a terminal, a plain line now and then elsewhere."""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

from rich.console import Console
from rich.live import Live
from rich.text import Text

from skillmill.data.errors import SkillmillError
from skillmill.teachers.accounting import Usage

PLAIN_EVERY_S = 10.0
TICK_S = 1.0

Result = TypeVar("Result")


class Progress:
    """`with Progress("generate") as progress: progress.line("12 cells")`."""

    def __init__(self, step: str) -> None:
        self._step = step
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, transient=True) if self._console.is_terminal else None
        self._said = time.monotonic()

    def line(self, text: str) -> None:
        if self._live is not None:
            self._live.update(Text(f"{self._step}: {text}"))
        elif time.monotonic() - self._said >= PLAIN_EVERY_S:
            self._said = time.monotonic()
            say(f"{self._step}: {text}")

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()


class Pace:
    """How fast this call of a run goes and when it will be there; earlier calls count in the money alone."""

    def __init__(self, usage: Usage) -> None:
        self._usage, self._before, self._began = usage, usage.total(), time.monotonic()
        self._first: tuple[int, ...] | None = None
        self._goals: tuple[tuple[int, int | None], ...] = ()

    def at(self, *goals: tuple[int, int | None]) -> None:
        """Where it stands: for each count, what it is and what it has to be. It ends with the first that is met."""
        self._goals = goals
        if self._first is None:
            self._first = tuple(count for count, _ in goals)

    def text(self) -> str:
        """Tokens written per second, the cached share of the prompts, money so far, time left: what is known of it."""
        elapsed, now, before = max(time.monotonic() - self._began, 1e-9), self._usage.total(), self._before
        parts = [f"{(now.completion_tokens - before.completion_tokens) / elapsed:,.0f} tokens/s"]
        cached = now.cached_tokens - before.cached_tokens
        if cached:
            parts.append(f"{cached / (now.prompt_tokens - before.prompt_tokens):.0%} of prompts cached")
        if self._usage.money is not None:
            parts.append(f"{money(self._usage.money)} spent")
        left = [
            (wanted - count) * elapsed / (count - first)
            for (count, wanted), first in zip(self._goals, self._first or (), strict=False)
            if wanted is not None and count > first
        ]
        if left:
            parts.append(f"{duration(min(left))} left")
        return ", ".join(parts)


async def ticking(work: Coroutine[Any, Any, Result], tick: Callable[[], None]) -> Result:
    """Await `work`; `tick` is called beside it every `TICK_S` seconds, and no disk that it finds full stops `work`."""

    async def clock() -> None:
        while True:
            await asyncio.sleep(TICK_S)
            with suppress(SkillmillError):
                tick()

    beside = asyncio.create_task(clock())
    try:
        return await work
    finally:
        beside.cancel()


def duration(seconds: float) -> str:
    """ "40 s", "12 min", "3.5 h" """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"


def money(amount: float) -> str:
    """Two decimals, and four where the amount is small."""
    return f"{amount:,.2f}" if amount >= 1 or not amount else f"{amount:.4f}"


def say(text: str) -> None:
    """One line on standard error: standard output is for what was asked for."""
    print(text, file=sys.stderr, flush=True)
