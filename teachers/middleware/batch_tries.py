"""Retries of requests that wait for batches: a request that fails goes into the next batch.

Time means nothing here: a batch takes minutes or a day, and answers come all at once. So there are no pauses, no
adaptive limit and no patience, only a number of tries. `budget.hours` ends the wait; the batches go on at the provider.
`batches.py` retries the calls of the batch API themselves.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from skillmill.teachers.base import Reply, Request, RequestFailed, Teacher, TransientError
from skillmill.teachers.middleware.accounting import BudgetMet, Usage
from skillmill.teachers.middleware.refusals import Refusals, TeacherRefuses

CLOCK_S = 0.01
"""More than the resolution of the clock, so that the hours are over when the wait ends."""


class BatchTries:
    """A teacher with at most `max_in_flight` requests in batches, each in at most `tries` of them."""

    def __init__(self, engine: Teacher, max_in_flight: int, tries: int, usage: Usage) -> None:
        self.name = engine.name
        self._engine, self._tries, self._usage = engine, tries, usage
        self._slots, self._refusals, self._numbers = asyncio.Semaphore(max_in_flight), Refusals(), itertools.count()

    async def chat(self, request: Request) -> Reply:
        """Answer one request.

        Raises `RequestFailed` if this request is given up, `TeacherRefuses` if so are all requests, and `BudgetMet`
        once the hours of the budget are over.
        """
        number = next(self._numbers)
        async with _within_hours(self._usage), self._slots:
            try:
                reply = await self._reply(request)
            except RequestFailed as failure:
                if why := self._refusals.note_refusal(number, failure.detail):
                    raise TeacherRefuses.by(self.name, why, failure.detail) from None
                raise
        self._refusals.note_reply()
        return reply

    async def _reply(self, request: Request) -> Reply:
        attempt = 0
        while True:
            try:
                return await self._engine.chat(replace(request, attempt=attempt) if attempt else request)
            except TransientError as failure:
                attempt += 1
                if attempt >= self._tries:
                    raise RequestFailed(failure.reason, f"{failure.detail} ({attempt} tries)") from None


@asynccontextmanager
async def _within_hours(usage: Usage) -> AsyncIterator[None]:
    """Raise `BudgetMet` once `budget.hours` are over, in the middle of the block too."""
    hours = usage.budget.hours
    left = None if hours is None else hours * 3600 - usage.wall_s + CLOCK_S
    try:
        async with asyncio.timeout(left) as deadline:
            yield
    except TimeoutError:
        if not deadline.expired():
            raise
        raise BudgetMet(usage.reached_cap()) from None
