"""How far a run is: one live line on a terminal, a plain line now and then elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from skillmill.teachers.middleware.accounting import Usage

if TYPE_CHECKING:
    from rich.live import Live

PLAIN_EVERY_S = 10.0


class Progress:
    """`with Progress("generate") as progress: progress.line("12 cells")`."""

    def __init__(self, step: str) -> None:
        self._step = step
        self._live = _live_line() if sys.stderr.isatty() else None
        self._said = time.monotonic()

    def line(self, text: str) -> None:
        if self._live is not None:
            self._live.update(f"{self._step}: {text}")
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


def _live_line() -> "Live":
    from rich.console import Console  # not needed where nobody looks on
    from rich.live import Live

    return Live(console=Console(stderr=True, markup=False), transient=True)


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
        share = cached / (now.prompt_tokens - before.prompt_tokens) if cached else self._usage.cache.share
        if share:
            parts.append(f"{share:.0%} of prompts cached")
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
