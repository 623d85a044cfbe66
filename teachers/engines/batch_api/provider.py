"""The calls of the batch API: upload, create, find, ask for the status, download and delete.

Each call is repeated while it fails for causes that may pass, within `retry` of the configuration. A batch is never
created twice: if the answer to the creation is lost, the provider's list of batches tells whether it was created.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
import orjson

from skillmill.data.errors import TeacherError
from skillmill.data.files import store_errors
from skillmill.teachers.base import RequestFailed, TransientError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.batch_api.lines import ENDPOINT
from skillmill.teachers.engines.batch_api.status import TOKEN, BatchStatus, has_no_room, read_status
from skillmill.teachers.engines.chat_api.error_message import read_error_message
from skillmill.teachers.engines.chat_api.tolerant_json import read_json
from skillmill.teachers.middleware.asked_waits import TeacherAsksToWait
from skillmill.teachers.middleware.resilience import WARN_AFTER_S, pause_s

if TYPE_CHECKING:
    from skillmill.teachers.engines.openai import OpenAI

WINDOW = "24h"
"""The time that the provider may take. OpenAI knows no other one."""
NO_SUCH_API = {404, 405, 501}
"""Statuses of a server that does not know a path."""
TOO_LARGE = 413
GONE = 404
PAGE = 100
"""Batches in one page of the list, the most that OpenAI gives."""
CLOCKS_S = 3600.0
"""How far this machine's clock and the provider's may differ."""
IN_PROCESS = {"pending", "running"}
"""States of an uploaded file that cannot be used yet (Azure)."""
FILE_POLL_S = 1.0

Result = TypeVar("Result")
log = logging.getLogger(__name__)


class NoRoom(Exception):
    """The provider takes no batch of this size now. `too_large`: at no time."""

    def __init__(self, detail: str, too_large: bool) -> None:
        super().__init__(detail)
        self.too_large = too_large


class BatchApi:
    """The batch API of one server."""

    def __init__(self, client: "OpenAI", config: TeacherConfig) -> None:
        self._client, self._retry, self._section = client, config.retry, config.section
        self._served = False

    async def upload(self, path: Path) -> str:
        """Upload a file of requests; return the provider's name for it.

        Raises `NoRoom` if the file is too large and `TeacherError` if the provider does not take it.
        """

        async def attempt(_: int) -> Any:
            with store_errors(f"cannot read {path}"), path.open("rb") as file:
                form = aiohttp.MultipartWriter("form-data")
                form.append("batch").set_content_disposition("form-data", name="purpose")
                form.append(file, {"Content-Type": "application/jsonl"}).set_content_disposition(
                    "form-data", name="file", filename=path.name
                )
                return await self._json("POST", "files", data=form, headers={"Content-Type": form.content_type})

        body = await self._persistently(attempt)
        file_id = str(body.get("id") or "")
        if not file_id:
            raise TeacherError(f"teacher: the server at {self._client.place} gave no id for an uploaded file")
        while str(body.get("status")).lower() in IN_PROCESS:
            await asyncio.sleep(FILE_POLL_S)
            body = await self._persistently(lambda _: self._json("GET", f"files/{file_id}"))
        return file_id

    async def create(self, file_id: str, token: str, since: float) -> BatchStatus:
        """Create a batch of an uploaded file, once.

        `since`: a time before the first try, in seconds since 1970. Raises `NoRoom` if the provider takes no further
        batch of this size and `TeacherError` if it refuses the batch.
        """
        body = {
            "input_file_id": file_id,
            "endpoint": ENDPOINT,
            "completion_window": WINDOW,
            "metadata": {TOKEN: token},
        }

        async def attempt(tries: int) -> BatchStatus:
            if tries and (found := await self._find(file_id, token, since)) is not None:
                return found
            return _status(await self._json("POST", "batches", data=orjson.dumps(body)))

        return await self._persistently(attempt)

    async def find(self, file_id: str, token: str, since: float) -> BatchStatus | None:
        """Return the batch that was created of a file, None if there is none.

        Raises `TeacherError` if the server has no list of batches.
        """
        return await self._persistently(lambda _: self._find(file_id, token, since))

    async def status(self, batch_id: str) -> BatchStatus:
        """Return the status of a batch. Raises `TeacherError` if the provider does not know it."""

        async def attempt(_: int) -> BatchStatus:
            return _status(await self._json("GET", f"batches/{batch_id}"))

        return await self._persistently(attempt)

    async def download(self, file_id: str, path: Path) -> None:
        """Write a file of answers to `path`. Raises `TeacherError` if the provider does not have it."""

        async def attempt(_: int) -> None:
            status, headers, content = await self._client.call("GET", f"files/{file_id}/content", save_to=path)
            if status != 200:
                raise self._failure("GET", f"files/{file_id}/content", status, headers, content)

        await self._persistently(attempt)

    async def delete(self, file_id: str) -> None:
        """Delete a file, with one try; one that is not there is no fault. Raises what the failure means."""
        status, headers, content = await self._client.call("DELETE", f"files/{file_id}")
        if not 200 <= status < 300 and status != GONE:
            raise self._failure("DELETE", f"files/{file_id}", status, headers, content)

    async def _find(self, file_id: str, token: str, since: float) -> BatchStatus | None:
        after: dict[str, str] = {}
        while True:
            page = await self._json("GET", "batches", query={"limit": f"{PAGE}", **after})
            data = page.get("data")
            found = [_status(each) for each in data] if isinstance(data, list) else []
            for status in found:
                if token == status.token or file_id == status.file_id:
                    return status
            times = [status.created for status in found if status.created is not None]
            if not found or not page.get("has_more") or (times and min(times) < since - CLOCKS_S):
                return None
            after = {"after": found[-1].id}

    async def _json(self, method: str, endpoint: str, **options: Any) -> dict[str, Any]:
        status, headers, content = await self._client.call(method, endpoint, **options)
        if not 200 <= status < 300:
            raise self._failure(method, endpoint, status, headers, content)
        try:
            body = read_json(content)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise TransientError(f"the answer to {method} {endpoint} is not a JSON object")
        return body

    def _failure(
        self, method: str, endpoint: str, status: int, headers: Mapping[str, str], content: bytes
    ) -> Exception:
        """Return the exception for a failed call. Only failures that may pass are `TransientError`."""
        words = read_error_message(content).text
        failure = self._client.failure(status, headers, content)
        said = failure.detail if isinstance(failure, RequestFailed | TransientError) else str(failure)
        if status in NO_SUCH_API:
            return TeacherError(self._unknown(method, endpoint, f"HTTP {status}: {' '.join(words.split())[:200]}"))
        if method == "POST" and (status == TOO_LARGE or (status in (400, 429) and has_no_room(words))):
            return NoRoom(said, status == TOO_LARGE)
        if isinstance(failure, RequestFailed):
            return TeacherError(f"teacher: the server at {self._client.place} refuses the batch: {said}")
        return failure

    def _unknown(self, method: str, endpoint: str, said: str) -> str:
        """Return the message for a path that the server does not know."""
        place, key = self._client.place, f"{self._section}.batch"
        if endpoint in ("files", "batches") and method == "POST":
            return f"{key}: the server at {place} has no batch API ({method} {endpoint}: {said}); expected false for it"
        if endpoint == "batches":
            return f"{key}: the server at {place} lists no batches ({said}), so it is not known whether one was created"
        return f"{key}: the server at {place} does not know {endpoint} ({said}); is it another account's?"

    async def _persistently(self, attempt: Callable[[int], Awaitable[Result]]) -> Result:
        """Return the result of `attempt`, which is called with the number of its failures so far.

        Raises `TeacherError` if it keeps failing for `patience_s`, or fails `tries` times before the server has
        answered anything, or if the server asks for a longer wait than `longest_wait_s`.
        """
        failures, began, warned = 0, 0.0, False
        while True:
            try:
                result = await attempt(failures)
            except TransientError as failure:
                now, asked_s = time.monotonic(), failure.retry_after or 0.0
                if asked_s > self._retry.longest_wait_s:
                    longest = self._retry.longest_wait_s
                    raise TeacherAsksToWait(self._client.name, asked_s, longest, failure.detail) from None
                failures, began = failures + 1, began or now
                patient = self._served and now - began < self._retry.patience_s
                if failures >= self._retry.tries and not patient:
                    raise TeacherError(
                        f"teacher: {self._client.name} keeps failing (no answer for {now - began:.0f} s): "
                        f"{failure.detail}; what was submitted goes on, run again to go on"
                    ) from None
                if now - began > WARN_AFTER_S and not warned:
                    warned = True
                    log.warning("teacher: %s does not answer (%s), trying on", self._client.name, failure.detail)
                began += asked_s  # it does not count as lost patience
                await asyncio.sleep(pause_s(self._retry, failures - 1, failure.retry_after))
            else:
                self._served = True
                if warned:
                    log.warning("teacher: %s answers again", self._client.name)
                return result


def _status(body: Any) -> BatchStatus:
    try:
        return read_status(body)
    except ValueError:
        raise TransientError("the server's answer is not a batch") from None
