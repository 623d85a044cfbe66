"""Retries of requests that wait for batches: a request that fails goes into the next batch.

Time means nothing here: a batch takes minutes or a day, and answers come all at once. So there are no pauses, no
adaptive limit and no patience, only a number of tries. `batches.py` retries the calls of the batch API themselves.
"""

import asyncio
import itertools
from dataclasses import replace

from skillmill.teachers.base import Reply, Request, RequestFailed, Teacher, TransientError
from skillmill.teachers.middleware.refusals import Refusals, TeacherRefuses


class BatchTries:
    """A teacher with at most `max_in_flight` requests in batches, each in at most `tries` of them."""

    def __init__(self, engine: Teacher, max_in_flight: int, tries: int) -> None:
        self.name = engine.name
        self._engine, self._tries = engine, tries
        self._slots, self._refusals, self._numbers = asyncio.Semaphore(max_in_flight), Refusals(), itertools.count()

    async def chat(self, request: Request) -> Reply:
        """Answer one request.

        Raises `RequestFailed` if this request is given up, and `TeacherRefuses` if so are all requests.
        """
        number = next(self._numbers)
        async with self._slots:
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
