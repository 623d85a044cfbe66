"""The world fails in one place: slots, retries with jittered back-off, and the circuit breaker.

An engine raises `Temporary` for what may pass (cut connections, time-outs, 408, 409, 425, 429, 5xx),
`TurnFailed` for what this request alone cannot have, `TeacherError` for what no request can have.
"""

import asyncio
import random
from collections import deque
from dataclasses import dataclass

from skillmill.data.errors import TeacherError
from skillmill.teachers.base import Reply, Request, Teacher, Temporary, TurnFailed


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`tries` attempts; the n-th pause is jittered below first_pause_s * 2^n, at most longest_pause_s."""

    tries: int = 6
    first_pause_s: float = 0.5
    longest_pause_s: float = 60.0

    def pause(self, attempt: int, wish: float | None) -> float:
        bound = min(self.longest_pause_s, self.first_pause_s * 2**attempt)
        jittered = bound * random.uniform(0.5, 1.0)  # noqa: S311 (spreads retries, hides nothing)
        return max(jittered, min(wish, self.longest_pause_s)) if wish is not None else jittered


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Stop the run when more than `share` of the last `window` requests failed for good."""

    window: int = 20
    share: float = 0.5


class Resilient:
    """A teacher that holds at most `max_in_flight` slots and retries; a retry waits without its slot."""

    def __init__(
        self,
        engine: Teacher,
        max_in_flight: int,
        retry: RetryPolicy | None = None,
        breaker: BreakerPolicy | None = None,
    ) -> None:
        self.name = engine.name
        self._engine = engine
        self._slots = asyncio.Semaphore(max_in_flight)
        self._retry, self._breaker = retry or RetryPolicy(), breaker or BreakerPolicy()
        self._outcomes: deque[bool] = deque(maxlen=self._breaker.window)

    async def chat(self, request: Request) -> Reply:
        for attempt in range(self._retry.tries):
            try:
                async with self._slots:
                    reply = await self._engine.chat(request)
            except Temporary as failure:
                last = failure
            else:
                self._outcomes.append(True)
                return reply
            if attempt + 1 < self._retry.tries:
                await asyncio.sleep(self._retry.pause(attempt, last.retry_after))
        self._note_failure(last)
        raise TurnFailed(last.reason, f"{last.detail} ({self._retry.tries} tries)")

    def _note_failure(self, last: Temporary) -> None:
        self._outcomes.append(False)
        failed = self._outcomes.count(False)
        alone = not any(self._outcomes) and failed >= min(self._breaker.window, 3)
        full = len(self._outcomes) == self._breaker.window
        if alone or (full and failed > self._breaker.share * self._breaker.window):
            raise TeacherError(
                f"teacher: {self.name} keeps failing ({failed} of the last {len(self._outcomes)} requests, "
                f"retries included): {last.detail}; what was finished is kept, run again to go on"
            )
