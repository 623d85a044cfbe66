"""Requests that are answered through batches: each request waits until its batch has ended.

Requests are gathered until none has come for `Pace.gather_s`, or until a limit of the provider is reached. Several
batches are open at once. A batch is recorded in `work_dir` before it is uploaded; a later call finds it there and waits
for it, and its requests are not sent again.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from skillmill.data.errors import TeacherError
from skillmill.data.files import store_errors, sync
from skillmill.teachers.base import TransientError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.batch_api.batch import Batch, Pace
from skillmill.teachers.engines.batch_api.disposal import Disposal
from skillmill.teachers.engines.batch_api.lines import (
    Answer,
    evenly_mixed,
    find_answers,
    read_answer,
    read_keys,
    read_requests,
    request_line,
)
from skillmill.teachers.engines.batch_api.provider import BatchApi, NoRoom
from skillmill.teachers.engines.batch_api.record import BatchFolder, BatchRecord
from skillmill.teachers.engines.batch_api.status import BatchStatus, fault_of
from skillmill.teachers.engines.chat_api.dialect import Dialect

MOST_REQUESTS, MOST_BYTES = 50_000, 190_000_000
"""Limits of one batch. OpenAI takes 50,000 requests and 200 MB."""
LEAST_SPLIT = 100
"""Requests of a batch that is not split any further if the provider has no room for it."""
TICKS = 4
"""Looks at the gathered requests during `gather_s`. One look is too few if the event loop is busy with other work."""
HAND_OUT = 64
"""Answers that are handed out before other work of the event loop goes on."""

log = logging.getLogger(__name__)


PACE = Pace()


class Batches:
    """The batches of one model. They must be used and closed inside one event loop.

    `dialect` is the smallest dialect of the batches of earlier calls. Raises `StoreError` for a record that cannot be
    read.
    """

    def __init__(self, api: BatchApi, folder: BatchFolder, config: TeacherConfig, server: str, pace: Pace) -> None:
        self._api, self._folder, self._config, self._server, self._pace = api, folder, config, server, pace
        self._disposal = Disposal(api, folder, config.section)
        self._holding: dict[bytes, Batch] = {}
        self._batches: dict[str, Batch] = {}
        self._gathering: Batch | None = None
        self._submitting, self._one_ended = asyncio.Lock(), asyncio.Event()
        self._most_requests, self._most_open, self._full = MOST_REQUESTS, 10**9, 0
        self._failure: Exception | None = None
        self.dialect = Dialect()
        for record in reversed(folder.records()):  # of two batches with a request, the newer one holds its answer
            if record.server == server and record.model == config.model:
                self._load(record)

    async def ask(self, key: bytes, body: bytes, dialect: Dialect) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body of the response to a request, once its batch has ended.

        `key` is that of the request in the journal. Raises `TransientError` if the batch ended without executing the
        request and `TeacherError` if the run has to stop.
        """
        if self._failure is not None:
            raise self._failure
        batch = self._holding.get(key) or self._gather(key, body, dialect)
        future = asyncio.get_running_loop().create_future()
        batch.waiting.setdefault(key, []).append(future)
        if batch.task is None:
            batch.task = asyncio.create_task(self._run(batch))
        elif batch.places is not None:
            self._answer(batch, key)
        answer: Answer = await future
        self._take(key)  # the caller journals the reply before the event loop runs anything else
        if answer.status == 0:
            raise TransientError(f"not executed in its batch: {_words(answer.body)}")
        return answer.status, {}, json.dumps(answer.body).encode()

    def forget(self, is_answered: Callable[[bytes], bool]) -> None:
        """Drop the answers of earlier batches that were taken before this process began: `is_answered` of a key."""
        for key in [key for batch in self._batches.values() for key in batch.left if is_answered(key)]:
            self._take(key)

    def progress(self) -> str:
        """Return how far the batches of this call are, "" if there are none."""
        parts, awaited = [], [batch for batch in self._batches.values() if batch.is_awaited]
        if awaited:
            done = sum(each.status.completed + each.status.failed for each in awaited if each.status)
            requests = sum(each.record.requests for each in awaited)
            parts.append(f"{_count(len(awaited), 'batch')} open with {done:,} of {requests:,} requests done")
        if gathered := sum(len(each.left) for each in self._batches.values() if each.task and not each.record.batch_id):
            parts.append(f"{_count(gathered, 'request')} to submit")
        return ", ".join(parts)

    async def close(self) -> None:
        """Stop waiting. Batches at the provider go on, and a later call waits for them."""
        tasks = [batch.task for batch in self._batches.values() if batch.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
        for batch in list(self._batches.values()):
            if not batch.record.file_id:  # nothing of it is at the provider
                self._delete(batch)
            elif batch.places is not None and batch.left:
                self._save(batch, left=sorted(key.hex() for key in batch.left))
        await self._disposal.close()
        if awaited := [batch.record.batch_id for batch in self._batches.values() if batch.is_awaited]:
            which = f"batch {awaited[0]} goes" if len(awaited) == 1 else f"{_count(len(awaited), 'batch')} go"
            log.info("%s: %s on at the provider; the same command waits for the answers", self._section, which)

    @property
    def _section(self) -> str:
        return self._config.section

    def _load(self, record: BatchRecord) -> None:
        left = {key for key in self._folder.keys(record) if key not in self._holding}
        batch = Batch(record, left, dialect=Dialect.of(record.dialect))
        if not batch.left:
            self._disposal.start(record)
            return
        self._holding |= dict.fromkeys(batch.left, batch)
        self._batches[record.token] = batch
        self.dialect |= batch.dialect

    def _gather(self, key: bytes, body: bytes, dialect: Dialect) -> Batch:
        """Add a request to the batch that is being gathered, and return that batch."""
        line, batch = request_line(key, body), self._gathering
        if batch is None or len(batch.left) >= self._most_requests or batch.size + len(line) > MOST_BYTES:
            token = f"skillmill-{uuid.uuid4().hex}"
            record = BatchRecord(token, self._server, self._config.model or "", 0, time.time(), dialect.as_dict())
            with store_errors(f"cannot write {self._folder.path}"):
                batch = Batch(record, file=self._folder.requests(token).open("wb"))
            self._gathering = self._batches[token] = batch
            batch.task = asyncio.create_task(self._run(batch))
        with store_errors(f"cannot write {self._folder.path}"):
            assert batch.file is not None
            batch.file.write(line)
        batch.left.add(key)
        batch.size += len(line)
        batch.dialect |= dialect
        self._holding[key] = batch
        return batch

    async def _run(self, batch: Batch) -> None:
        """Bring a batch from where it is to its end, and hand out its answers."""
        try:
            await self._gathered(batch)
            try:
                await self._submit(batch)
                await self._end(batch)
            except NoRoom as full:
                await self._make_room(batch, full)
        except Exception as error:
            self._failure = error
            for each in {batch, *self._batches.values()}:
                each.fail(error)

    async def _gathered(self, batch: Batch) -> None:
        """Wait until no further request comes, and flush the requests to the disk."""
        quiet, before, began = 0, 0, time.monotonic()
        while batch is self._gathering and quiet < TICKS and time.monotonic() - began < self._pace.longest_gather_s:
            await asyncio.sleep(self._pace.gather_s / TICKS)
            quiet = quiet + 1 if batch.size == before else 0
            before = batch.size
        if batch is self._gathering:
            self._gathering = None
        if batch.file is not None:
            with store_errors(f"cannot write {self._folder.path}"):
                batch.file.close()
                sync(self._folder.requests(batch.record.token))
            self._save(batch, requests=len(batch.left), dialect=batch.dialect.as_dict())
            batch.file = None

    async def _submit(self, batch: Batch) -> None:
        """Upload the requests and create the batch, unless an earlier call has done so."""
        if batch.record.batch_id:
            log.info("%s: waiting for batch %s of an earlier call", self._section, batch.record.batch_id)
            return
        async with self._submitting:
            while sum(each.is_awaited for each in self._batches.values()) >= self._most_open:
                self._one_ended.clear()
                await self._one_ended.wait()
            record, status = batch.record, None
            if record.file_id:
                status = await self._find(record)
            else:
                file_id = await self._api.upload(self._folder.requests(record.token))
                record = self._save(batch, file_id=file_id)
            if status is None:
                status = await self._api.create(record.file_id, record.token, record.created)
            batch.status = status
            self._save(batch, batch_id=status.id)
            log.info("%s: batch %s submitted: %s", self._section, status.id, _count(record.requests, "request"))

    async def _find(self, record: BatchRecord) -> BatchStatus | None:
        """Return the batch that a killed process may have created; its last request may still be on the way."""
        status = await self._api.find(record.file_id, record.token, record.created)
        if status is None:
            await asyncio.sleep(self._pace.relist_s)
            status = await self._api.find(record.file_id, record.token, record.created)
        return status

    async def _end(self, batch: Batch) -> None:
        """Wait for the end of a submitted batch, fetch its answers and hand them out.

        Raises `NoRoom` if it failed for lack of room and `TeacherError` if the run has to stop.
        """
        token = batch.record.token
        files = self._folder.answers(token), self._folder.errors(token)
        if batch.record.left is None or not any(path.exists() for path in files):
            status = await self._wait(batch)
            self._save(batch, outputs=[each for each in (status.answers, status.errors) if each])
            if status.state == "failed" and not status.answers:
                self._after_failure(batch, status)
                return
            for file_id, path in zip((status.answers, status.errors), files, strict=True):
                if file_id:
                    await self._api.download(file_id, path)
        places = await asyncio.to_thread(find_answers, *files)
        batch.places = {key: place for key, place in places.items() if key in batch.left}
        good = sum(place.good for place in batch.places.values())
        words = f"{good:,} of {_count(len(batch.left), 'request')} answered"
        state = batch.status.state if batch.status else "read again"
        log.info("%s: batch %s %s: %s", self._section, batch.record.batch_id, state, words)
        self._one_ended.set()
        if state == "cancelled" and good < len(batch.left):
            await self._stop_after_cancellation(batch)
        await self._hand_out(batch, evenly_mixed(batch.left, batch.places))

    async def _wait(self, batch: Batch) -> BatchStatus:
        """Ask for the status until the batch has ended."""
        pause = self._pace.first_poll_s
        if batch.status is None:
            batch.status = await self._api.status(batch.record.batch_id)
        while not batch.status.ended:
            await asyncio.sleep(pause)
            pause = min(self._pace.longest_poll_s, pause * self._pace.poll_growth)
            batch.status = await self._api.status(batch.record.batch_id)
        return batch.status

    async def _hand_out(self, batch: Batch, keys: list[bytes]) -> None:
        for number, key in enumerate(keys):
            if key in batch.waiting:
                self._answer(batch, key)
            if number % HAND_OUT == HAND_OUT - 1:
                await asyncio.sleep(0)

    def _answer(self, batch: Batch, key: bytes) -> None:
        """Give the answer to those who wait for it."""
        place = (batch.places or {}).get(key)
        state = batch.status.state if batch.status else "completed"
        answer = Answer(0, f"the batch ended ({state}) without an answer") if place is None else read_answer(place)
        batch.resolve(key, answer)

    def _take(self, key: bytes) -> None:
        """Take in that an answer is taken; delete a batch of which nothing is left."""
        batch = self._holding.pop(key, None)
        if batch is None:
            return
        batch.left.discard(key)
        if not batch.left:
            asyncio.get_running_loop().call_soon(self._delete, batch)

    def _after_failure(self, batch: Batch, status: BatchStatus) -> None:
        """Send the requests of a batch that failed as a whole again, without those that are at fault.

        Raises `NoRoom` if it failed for lack of room and `TeacherError` if each request is at fault.
        """
        fault = fault_of(status, batch.record.requests)
        said = f"batch {status.id} failed: {status.words or 'no reason given'}"
        if fault == "no room":
            raise NoRoom(said, too_large=False)
        if fault == "all":
            self._delete(batch)
            raise TeacherError(f"teacher: {said}; what was finished is kept, run again once this is mended")
        keys = read_keys(self._folder.requests(batch.record.token))
        for each in status.faults:
            if each.line is not None and 0 < each.line <= len(keys):
                error = {"message": each.message, "code": each.code}
                batch.resolve(keys[each.line - 1], Answer(400, {"error": error}))
        log.warning("%s: %s; the other requests are submitted again", self._section, said)
        self._send_again(batch)

    async def _make_room(self, batch: Batch, full: NoRoom) -> None:
        """Send the requests of a batch again that the provider has no room for: later, or in smaller batches.

        Raises `TeacherError` if it has no room though nothing of ours waits there.
        """
        others = sum(each.is_awaited for each in self._batches.values() if each is not batch)
        requests = batch.record.requests
        if others and not full.too_large:
            self._most_open = others
            log.warning("%s: %s; from now on at most %s at once", self._section, full, _count(others, "batch"))
        elif requests > (1 if full.too_large else LEAST_SPLIT):
            self._most_requests = max(1 if full.too_large else LEAST_SPLIT, requests // 2)
            log.warning("%s: %s; from now on batches of at most %d requests", self._section, full, self._most_requests)
        elif full.too_large or self._full >= self._config.retry.tries:
            raise TeacherError(f"teacher: {full}; what was finished is kept, run again to go on")
        else:
            self._full += 1
            log.warning("%s: %s; trying again in %.0f s", self._section, full, self._pace.full_s)
            await asyncio.sleep(self._pace.full_s)
        self._send_again(batch)

    async def _stop_after_cancellation(self, batch: Batch) -> None:
        """Hand out the answers of a cancelled batch, forget its other requests and raise `TeacherError`."""
        places = batch.places or {}
        await self._hand_out(batch, [key for key, place in places.items() if place.good])
        await asyncio.sleep(0)
        for key in [key for key in batch.left if key not in places or not places[key].good]:
            self._take(key)
        raise TeacherError(
            f"teacher: batch {batch.record.batch_id} was cancelled; what was finished is kept, run again to submit the "
            "rest"
        )

    def _send_again(self, batch: Batch) -> None:
        """Gather the requests of a batch again that somebody waits for, and delete the batch."""
        for key in batch.left:
            self._holding.pop(key, None)
        for key, body in read_requests(self._folder.requests(batch.record.token)):
            if key in batch.waiting:
                self._gather(key, orjson.dumps(body), batch.dialect).waiting[key] = batch.waiting.pop(key)
        self._delete(batch)
        self._one_ended.set()

    def _save(self, batch: Batch, **changes: Any) -> BatchRecord:
        batch.record = replace(batch.record, **changes)
        self._folder.save(batch.record)
        return batch.record

    def _delete(self, batch: Batch) -> None:
        self._batches.pop(batch.record.token, None)
        if batch.file is not None:
            batch.file.close()
        for key in batch.left:
            self._holding.pop(key, None)
        self._disposal.start(batch.record)


def _words(body: Any) -> str:
    """Return the words of an error object, or of another body."""
    if isinstance(body, dict):
        return " ".join(f"{body.get('message') or body} ({body.get('code')})".split())[:200]
    return str(body)


def _count(number: int, of: str) -> str:
    plural = "es" if of == "batch" else "s"
    return f"{number:,} {of}{plural * (number != 1)}"
