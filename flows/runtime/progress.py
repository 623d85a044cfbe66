"""Progress of a step: one live line on a terminal, log messages of what changed elsewhere."""

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING

from skillmill.data.terminal import shows_progress
from skillmill.flows.runtime.logs import ON_LIVE_LINE
from skillmill.teachers.middleware.accounting import Usage

if TYPE_CHECKING:
    from rich.live import Live

log = logging.getLogger(__name__)

PLAIN_EVERY_S = 10.0
"""Seconds between two log messages of a step's progress while its counts change."""
UNCHANGED_EVERY_S = 60.0
"""Seconds between two log messages while they do not."""

share_observer: ContextVar[Callable[[float], None] | None] = ContextVar("share_observer", default=None)
"""Called with the share of the present step that is done, from 0 to 1, by each step that knows its target."""


class Progress:
    """Shows the progress of a step: `with Progress("generate") as progress: progress.line("12 cells")`."""

    def __init__(self, step: str) -> None:
        self._step = step
        self._live = _live_line() if shows_progress() else None
        self._logged, self._logged_counts = time.monotonic(), ""

    def line(self, counts: str, pace: str = "") -> None:
        """Show both texts on the live line at once, and log them now and then.

        They are logged if the last message is `PLAIN_EVERY_S` old and had other counts, or is `UNCHANGED_EVERY_S` old.
        The pace changes all the time and is no reason for a message, nor are the counts at the start.
        """
        line = f"{self._step}: {counts}" + (f", {pace}" if pace else "")
        if self._live is not None:
            self._live.update(line)
        self._logged_counts = self._logged_counts or counts
        pause = PLAIN_EVERY_S if counts != self._logged_counts else UNCHANGED_EVERY_S
        if time.monotonic() - self._logged >= pause:
            self._logged, self._logged_counts = time.monotonic(), counts
            log.info(line, extra={ON_LIVE_LINE: self._live is not None})

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()


def _live_line() -> "Live":
    from rich.console import Console  # needed on a terminal only
    from rich.live import Live

    return Live(console=Console(stderr=True, markup=False), transient=True)


class Pace:
    """The speed of this call of a run and its time left. Earlier calls of the run count only in the money."""

    def __init__(self, usage: Usage) -> None:
        self._usage, self._before, self._began = usage, usage.total(), time.monotonic()
        self._first_counts: tuple[int, ...] | None = None
        self._goals: tuple[tuple[int, int | None], ...] = ()

    def at(self, *goals: tuple[int, int | None]) -> None:
        """Set the present counts, each with its target or None. The run ends when the first target is reached."""
        self._goals = goals
        if self._first_counts is None:
            self._first_counts = tuple(count for count, _ in goals)
        if (observe := share_observer.get()) is not None:
            observe(max((min(count / target, 1.0) for count, target in goals if target), default=0.0))

    def text(self) -> str:
        """Return what batches are waited for, tokens per second, cached share of the prompts, money and time left."""
        elapsed, now, before = max(time.monotonic() - self._began, 1e-9), self._usage.total(), self._before
        parts = [waits] if (waits := self._usage.waits_for) else []
        parts.append(f"{(now.completion_tokens - before.completion_tokens) / elapsed:,.0f} tokens/s")
        cached = now.cached_tokens - before.cached_tokens
        share = cached / (now.prompt_tokens - before.prompt_tokens) if cached else self._usage.cache.share
        if share:
            parts.append(f"{share:.0%} of prompts cached")
        if self._usage.money is not None:
            parts.append(f"{money(self._usage.money)} spent")
        seconds_left = [
            (target - count) * elapsed / (count - first)
            for (count, target), first in zip(self._goals, self._first_counts or (), strict=False)
            if target is not None and count > first
        ]
        if seconds_left:
            parts.append(f"{duration(min(seconds_left))} left")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a duration for people: "40 s", "12 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"


def money(amount: float) -> str:
    """Return an amount with two decimals, with four if it is below 1."""
    return f"{amount:,.2f}" if amount >= 1 or not amount else f"{amount:.4f}"
