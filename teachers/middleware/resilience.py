"""Retries of transient failures, with jittered back-off and a circuit breaker.

An engine raises `TransientError` for failures that may not happen again (cut connections, time-outs, 408, 409, 425,
429, 5xx), `RequestFailed` for a failure of one request, and `TeacherError` for a failure of all requests.

A request that fails while others get replies is given up after `tries`. If no request gets a reply, the server is at
fault: requests are retried until the server is back or `patience_s` is over, so a restart of the server costs time but
no row. A server that refuses every request stops the run (`refusals.py`), and so does one that asks for a longer pause
than `longest_wait_s` (`asked_waits.py`).
"""

import asyncio
import itertools
import logging
import random
import time
from collections import deque
from dataclasses import dataclass, field, replace

from skillmill.data.errors import TeacherError
from skillmill.data.reasons import RATE_LIMIT
from skillmill.teachers.base import Reply, Request, RequestFailed, Teacher, TransientError
from skillmill.teachers.config import Retry
from skillmill.teachers.middleware.asked_waits import AskedWaits, TeacherAsksToWait, wait_message
from skillmill.teachers.middleware.concurrency import Slots
from skillmill.teachers.middleware.refusals import Refusals, TeacherRefuses

WARN_AFTER_S = 5.0
"""Seconds without any reply before a warning is logged."""
CONSECUTIVE_429 = 3
"""This many 429 in a row concern the whole account, so their Retry-After holds for all requests."""
WINDOW_REQUESTS = 20
"""The run stops for its share of failures only if at least this many requests ended within the patience."""

log = logging.getLogger(__name__)


@dataclass
class Breaker:
    """The circuit breaker: decides when the run stops. It does no input or output; times are seconds of one clock.

    A request ends well (a reply) or badly (given up, or rejected by the server); an attempt that will be repeated is
    not an end.
    """

    patience_s: float
    waits: AskedWaits = field(default_factory=lambda: AskedWaits(0.0))
    """The pauses that the server asks for. They do not count towards the patience."""
    served: int = 0
    """Number of requests that the server has answered, with a reply or a rejection."""
    down_since: float | None = None
    """The time of the first failure after the last answer."""
    failing: set[int] = field(default_factory=set)
    """The requests that failed since then."""
    ended: deque[list[float]] = field(default_factory=deque)
    """[start, number ended well, number ended badly] for intervals of a twentieth of the patience."""
    first_end: float | None = None

    def note_reply(self, now: float) -> None:
        """Take in a reply."""
        self._mark_alive()
        self._end(now, True)

    def note_rejection(self, now: float) -> None:
        """Take in a request that the server rejected."""
        self._mark_alive()
        self._end(now, False)

    def note_give_up(self, now: float) -> None:
        """Take in a request that is not retried any more."""
        self._end(now, False)

    def note_failure(self, request: int, now: float) -> None:
        """Take in a transient failure of the request with that number."""
        self.down_since = now if self.down_since is None else self.down_since
        self.failing.add(request)

    def down_for(self, now: float) -> float:
        """Return the seconds since the first failure after the last answer; 0 without a failure since then.

        Pauses that the server asked for are left out.
        """
        return 0.0 if self.down_since is None else now - self.down_since - self.waits.passed_s(now)

    def is_down(self, now: float) -> bool:
        """Return whether the server has answered none of several requests for longer than the patience."""
        return len(self.failing) > 1 and self.down_for(now) >= self.patience_s

    def fails_mostly(self, now: float) -> bool:
        """Return whether more than half of the requests that ended within the patience ended badly."""
        if self.first_end is None or now - self.first_end < self.patience_s:
            return False
        well, badly = self.counts()
        return badly > well and well + badly >= WINDOW_REQUESTS

    def counts(self) -> tuple[int, int]:
        """Return how many requests ended well and how many badly within the patience."""
        return int(sum(each[1] for each in self.ended)), int(sum(each[2] for each in self.ended))

    def _mark_alive(self) -> None:
        self.served += 1
        if self.down_since is not None:
            self.down_since = None
            self.waits.note_answer()
            self.failing.clear()

    def _end(self, now: float, well: bool) -> None:
        self.first_end = now if self.first_end is None else self.first_end
        ended = self.ended
        if not ended or now - ended[-1][0] >= self.patience_s / 20:
            ended.append([now, 0, 0])
            while ended[0][0] < now - self.patience_s:
                ended.popleft()
        ended[-1][1 if well else 2] += 1


@dataclass(slots=True)
class _Tries:
    """The failures of one request. `counted` are those during which the server answered other requests."""

    request: int
    served: int
    failures: int = 0
    counted: int = 0
    first: float = 0.0


class Resilient:
    """A teacher with at most `max_in_flight` requests in flight and with retries; a retry waits without a slot."""

    def __init__(self, engine: Teacher, max_in_flight: int, retry: Retry | None = None) -> None:
        self.name = engine.name
        self.slots = Slots(max_in_flight)
        self._engine, self._retry = engine, retry or Retry()
        self._breaker = Breaker(self._retry.patience_s, AskedWaits(self._retry.longest_wait_s))
        self._refusals = Refusals()
        self._numbers = itertools.count()
        self._resume_at, self._consecutive_429, self._warned = 0.0, 0, False

    async def chat(self, request: Request) -> Reply:
        """Answer one request.

        Raises `RequestFailed` if this request is given up and `TeacherError` if the run has to stop.
        """
        tries = _Tries(next(self._numbers), self._breaker.served)
        while True:
            try:
                async with self.slots:
                    if self._resume_at:
                        await self._wait_for_resumption()
                    reply = await self._engine.chat(
                        replace(request, attempt=tries.failures) if tries.failures else request
                    )
            except TransientError as failure:
                pause = self._after_failure(tries, failure)
            except RequestFailed as failure:
                self._after_rejection(tries.request, failure)
                raise
            else:
                self._after_answer()
                return reply
            await asyncio.sleep(pause)

    async def _wait_for_resumption(self) -> None:
        while (pause := self._resume_at - time.monotonic()) > 0:  # noqa: ASYNC110 (waits for a time, not an event)
            await asyncio.sleep(pause)

    def _after_answer(self) -> None:
        self._consecutive_429 = 0
        self.slots.note(rejected=False)
        if self._warned:
            self._warned = False
            log.warning("teacher: %s answers again", self.name)
        self._breaker.note_reply(time.monotonic())
        self._refusals.note_reply()

    def _after_rejection(self, request: int, failure: RequestFailed) -> None:
        now = time.monotonic()
        self.slots.note(rejected=False)
        self._breaker.note_rejection(now)
        if why := self._refusals.note_refusal(request, failure.detail):
            raise TeacherRefuses.by(self.name, why, failure.detail)
        self._stop_if_most_fail(now, failure.detail)

    def _after_failure(self, tries: _Tries, failure: TransientError) -> float:
        """Return the seconds to wait before the next try.

        Raises `RequestFailed` if this request is given up and `TeacherError` if the run has to stop.
        """
        now, breaker = time.monotonic(), self._breaker
        self.slots.note(rejected=failure.overloaded)
        breaker.note_failure(tries.request, now)
        asked_s = failure.retry_after or 0.0
        if asked_s > self._retry.longest_wait_s:
            raise TeacherAsksToWait(self.name, asked_s, self._retry.longest_wait_s, failure.detail)
        tries.first = tries.first or now
        tries.failures += 1
        tries.counted += breaker.served > tries.served
        tries.served = breaker.served
        if breaker.is_down(now):
            raise self._stopped(f"no answer for {breaker.down_for(now):.0f} s", failure.detail)
        if self._is_given_up(tries, failure, now):
            if not breaker.served and len(breaker.failing) > 1:
                raise self._stopped("it has answered nothing yet", failure.detail)
            breaker.note_give_up(now)
            self._stop_if_most_fail(now, failure.detail)
            raise RequestFailed(failure.reason, f"{failure.detail} ({tries.failures} tries)")
        breaker.waits.note(asked_s, now)
        if breaker.waits.should_log(asked_s, now):
            log.warning("%s", wait_message(self.name, asked_s, failure.detail))
        if breaker.down_for(now) > WARN_AFTER_S and not self._warned:
            self._warned = True
            log.warning(
                "teacher: %s does not answer (%s), trying on for %.0f s",
                *(self.name, failure.detail, self._retry.patience_s - breaker.down_for(now)),
            )
        self._pause_all_requests(failure, now)
        pause = pause_s(self._retry, tries.failures - 1, failure.retry_after)
        log.debug("teacher: %s: %s, try %d in %.1f s", self.name, failure.detail, tries.failures + 1, pause)
        return pause

    def _is_given_up(self, tries: _Tries, failure: TransientError, now: float) -> bool:
        """Return whether to give up this request: others got replies, or no other request shows the server's state."""
        if tries.counted >= self._retry.tries:
            return True
        if tries.failures < self._retry.tries:
            return False
        never_answered = not self._breaker.served and not failure.overloaded
        return never_answered or now - tries.first >= self._retry.patience_s

    def _pause_all_requests(self, failure: TransientError, now: float) -> None:
        self._consecutive_429 = self._consecutive_429 + 1 if failure.reason == RATE_LIMIT else 0
        if self._consecutive_429 >= CONSECUTIVE_429 and failure.retry_after:
            self._resume_at = max(self._resume_at, now + failure.retry_after)

    def _stop_if_most_fail(self, now: float, detail: str) -> None:
        if self._breaker.fails_mostly(now):
            well, badly = self._breaker.counts()
            raise self._stopped(f"{badly} of the last {well + badly} requests", detail)

    def _stopped(self, why: str, detail: str) -> TeacherError:
        return TeacherError(
            f"teacher: {self.name} keeps failing ({why}): {detail}; what was finished is kept, run again to go on"
        )


def pause_s(retry: Retry, attempt: int, retry_after: float | None) -> float:
    """Return the seconds to wait after attempt number `attempt` (from 0) has failed.

    The pause is jittered below first_pause_s * 2^attempt and not shorter than the server's `retry_after`, which is at
    most `longest_wait_s`.
    """
    bound = min(retry.longest_pause_s, retry.first_pause_s * 2.0 ** min(attempt, 60))
    jittered = bound * random.uniform(0.5, 1.0)  # noqa: S311 (spreads retries, no cryptography)
    return jittered if retry_after is None else max(jittered, min(retry_after, retry.longest_wait_s))
