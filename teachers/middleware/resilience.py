"""The world fails in one place: slots, retries with jittered back-off, and the circuit breaker.

An engine raises `TransientError` for what may pass (cut connections, time-outs, 408, 409, 425, 429, 5xx), `RequestFailed`
for what this request alone cannot have, `TeacherError` for what no request can have.

A request that fails while others are answered is at fault itself and is given up after `tries`. When nobody is
answered the server is at fault: requests go on trying until it is back or the patience is over, so that a restart of
the server costs time and no row.
"""

import asyncio
import itertools
import logging
import random
import time
from collections import deque
from dataclasses import dataclass, field, replace

from skillmill.data.errors import TeacherError
from skillmill.data.reasons import Reason
from skillmill.teachers.base import Reply, Request, RequestFailed, Teacher, TransientError
from skillmill.teachers.config import Retry
from skillmill.teachers.middleware.concurrency import Slots

SILENCE_S = 5.0
"""How long nobody is answered before the user is told."""
RUN_OF_429 = 3
"""So many 429 in a row mean the whole account, and their Retry-After holds for all."""
WINDOW_REQUESTS = 20

log = logging.getLogger(__name__)


@dataclass
class Breaker:
    """When to stop: pure bookkeeping, all times are handed in (seconds of one clock).

    A request ends well or badly (given up, or refused as a bad request); an attempt that will be repeated is neither.
    """

    patience_s: float
    served: int = 0
    """Requests that were answered, were it by a refusal: the server is there."""
    down_since: float | None = None
    """The first failure after the last answer."""
    failing: set[int] = field(default_factory=set)
    """The requests that failed since then."""
    ended: deque[list[float]] = field(default_factory=deque)
    """(from when, how many well, how many badly), each a twentieth of the patience long."""
    begun: float | None = None

    def answer(self, now: float) -> None:
        self._alive()
        self._end(now, True)

    def refuse(self, now: float) -> None:
        self._alive()
        self._end(now, False)

    def give_up(self, now: float) -> None:
        self._end(now, False)

    def fail(self, who: int, now: float) -> None:
        self.down_since = now if self.down_since is None else self.down_since
        self.failing.add(who)

    def down_for(self, now: float) -> float:
        return 0.0 if self.down_since is None else now - self.down_since

    def is_down(self, now: float) -> bool:
        """Nobody was answered for longer than the patience, and more than one request has asked."""
        return len(self.failing) > 1 and self.down_for(now) >= self.patience_s

    def fails_mostly(self, now: float) -> bool:
        """Of the requests that ended within the patience, more than half ended badly."""
        if self.begun is None or now - self.begun < self.patience_s:
            return False
        well, badly = self.counts()
        return badly > well and well + badly >= WINDOW_REQUESTS

    def counts(self) -> tuple[int, int]:
        """Requests that ended well and badly within the patience."""
        return int(sum(each[1] for each in self.ended)), int(sum(each[2] for each in self.ended))

    def _alive(self) -> None:
        self.served += 1
        if self.down_since is not None:
            self.down_since = None
            self.failing.clear()

    def _end(self, now: float, well: bool) -> None:
        self.begun = now if self.begun is None else self.begun
        ended = self.ended
        if not ended or now - ended[-1][0] >= self.patience_s / 20:
            ended.append([now, 0, 0])
            while ended[0][0] < now - self.patience_s:
                ended.popleft()
        ended[-1][1 if well else 2] += 1


@dataclass(slots=True)
class _Tries:
    """One request's failures. `counted` are those while others were answered."""

    who: int
    served: int
    failures: int = 0
    counted: int = 0
    first: float = 0.0


class Resilient:
    """A teacher that holds at most `max_in_flight` slots and retries; a retry waits without its slot."""

    def __init__(self, engine: Teacher, max_in_flight: int, retry: Retry | None = None) -> None:
        self.name = engine.name
        self.slots = Slots(max_in_flight)
        self._engine, self._retry = engine, retry or Retry()
        self._breaker = Breaker(self._retry.patience_s)
        self._serial = itertools.count()
        self._resume_at, self._in_a_row, self._told = 0.0, 0, False

    async def chat(self, request: Request) -> Reply:
        """Raises `RequestFailed` when this request is given up, `TeacherError` when the run has to stop."""
        tries = _Tries(next(self._serial), self._breaker.served)
        while True:
            try:
                async with self.slots:
                    await self._pause_of_all()
                    reply = await self._engine.chat(
                        replace(request, attempt=tries.failures) if tries.failures else request
                    )
            except TransientError as failure:
                pause = self._after_failure(tries, failure)
            except RequestFailed as failure:
                self._after_refusal(failure)
                raise
            else:
                self._after_answer()
                return reply
            await asyncio.sleep(pause)

    async def _pause_of_all(self) -> None:
        while (pause := self._resume_at - time.monotonic()) > 0:  # noqa: ASYNC110 (a time, no event)
            await asyncio.sleep(pause)

    def _after_answer(self) -> None:
        self._in_a_row = 0
        self.slots.note(refused=False)
        if self._told:
            self._told = False
            log.warning("teacher: %s answers again", self.name)
        self._breaker.answer(time.monotonic())

    def _after_refusal(self, failure: RequestFailed) -> None:
        now = time.monotonic()
        self.slots.note(refused=False)
        self._breaker.refuse(now)
        self._stop_where_most_fail(now, failure.detail)

    def _after_failure(self, tries: _Tries, failure: TransientError) -> float:
        """Seconds to wait before this request asks again. Raises where it, or the whole run, gives up."""
        now, breaker = time.monotonic(), self._breaker
        self.slots.note(refused=failure.overloaded)
        breaker.fail(tries.who, now)
        tries.first = tries.first or now
        tries.failures += 1
        tries.counted += breaker.served > tries.served
        tries.served = breaker.served
        if breaker.is_down(now):
            raise self._stopped(f"no answer for {breaker.down_for(now):.0f} s", failure.detail)
        if self._at_fault(tries, failure, now):
            if not breaker.served and len(breaker.failing) > 1:
                raise self._stopped("it has answered nothing yet", failure.detail)
            breaker.give_up(now)
            self._stop_where_most_fail(now, failure.detail)
            raise RequestFailed(failure.reason, f"{failure.detail} ({tries.failures} tries)")
        if breaker.down_for(now) > SILENCE_S and not self._told:
            self._told = True
            log.warning(
                "teacher: %s does not answer (%s), trying on for %.0f s",
                *(self.name, failure.detail, self._retry.patience_s - breaker.down_for(now)),
            )
        self._hold_all_back(failure, now)
        return pause_s(self._retry, tries.failures - 1, failure.retry_after)

    def _at_fault(self, tries: _Tries, failure: TransientError, now: float) -> bool:
        """Whether this request is given up: others were answered, or nobody else is there to tell."""
        if tries.counted >= self._retry.tries:
            return True
        if tries.failures < self._retry.tries:
            return False
        started_badly = not self._breaker.served and not failure.overloaded
        return started_badly or now - tries.first >= self._retry.patience_s

    def _hold_all_back(self, failure: TransientError, now: float) -> None:
        self._in_a_row = self._in_a_row + 1 if failure.reason == Reason.RATE_LIMIT else 0
        if self._in_a_row >= RUN_OF_429 and failure.retry_after:
            self._resume_at = max(self._resume_at, now + min(failure.retry_after, self._retry.patience_s))

    def _stop_where_most_fail(self, now: float, detail: str) -> None:
        if self._breaker.fails_mostly(now):
            well, badly = self._breaker.counts()
            raise self._stopped(f"{badly} of the last {well + badly} requests", detail)

    def _stopped(self, why: str, detail: str) -> TeacherError:
        return TeacherError(
            f"teacher: {self.name} keeps failing ({why}): {detail}; what was finished is kept, run again to go on"
        )


def pause_s(retry: Retry, attempt: int, wish: float | None) -> float:
    """Seconds before attempt `attempt` + 2: jittered below first_pause_s * 2^attempt, not below the server's wish."""
    bound = min(retry.longest_pause_s, retry.first_pause_s * 2.0 ** min(attempt, 60))
    jittered = bound * random.uniform(0.5, 1.0)  # noqa: S311 (spreads retries, hides nothing)
    return jittered if wish is None else max(jittered, min(wish, retry.patience_s))
