"""Teacher `openai`: any OpenAI-compatible chat server over a pooled asynchronous client.

aiohttp with orjson costs about 0.5 ms of CPU a request at full occupancy; httpx 0.28 with a large pool
costs 17 ms (peers.md 2.2).
"""

import asyncio
import base64
import email.utils
import errno
import logging
import math
import os
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import aiohttp
import orjson
from yarl import URL

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.reasons import Reason
from skillmill.teachers.base import Reply, Request, RequestFailed, TransientError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.chat_api.address import HIDDEN, Address, parse_address, shown
from skillmill.teachers.engines.chat_api.completion import read_completion
from skillmill.teachers.engines.chat_api.dialect import (
    Dialect,
    Refusal,
    learned,
    less_structured,
    read_refusal,
    request_body,
)
from skillmill.teachers.middleware.concurrency import Load, vllm_load

GREETING_S = 5.0
"""How long a request may take that is no chat."""
SUSPECT_AFTER = 2
"""Tries that end in HTTP 500 before a schema is held to be the cause."""
LONG_ENOUGH = 6
"""Characters. Shorter header values ("true", "2024") are no secrets, and hiding them would garble what is said."""

_TEMPORARY = {408, 409, 425, 429}  # and all of 5xx
_OVERLOADED = {408, 429, 503, 504, 529}
_STOP = {401, 402, 403, 404, 405, 407, 410}
_HINTS = {
    401: "; the key is read from the variable {} (teacher.api_key_env)",
    403: "; the key is read from the variable {} (teacher.api_key_env)",
    404: "; does teacher.base_url end as it should (mostly in /v1), and is teacher.model a name of that server?",
}
_MAY_TEACH = {400, 404, 415, 422, 501}
_TOO_LONG_FOR = {400, 413, 422, 500}
_TOO_LONG = re.compile(
    r"context.?(?:length|window|size|limit)|max(?:imum)?.model.len|prompt is too long|max_new_tokens. must be|"
    r"inputs. must have less than|token count.*exceed|maximum number of tokens allowed|reduce the length",
    re.IGNORECASE,
)

log = logging.getLogger(__name__)


class Unreachable(TransientError):
    """Nobody is there, or not any more: connection refused or cut."""


class OpenAI:
    """One chat endpoint. Must be opened and closed inside the event loop that uses it.

    Raises `ConfigError` for an address or a header that HTTP does not take.
    """

    def __init__(self, config: TeacherConfig, base_url: str | None = None) -> None:
        self._address = parse_address(base_url or config.base_url or "")
        self.name = config.model or ""
        self._config = config
        self._url = URL(self._address.endpoint("chat/completions"), encoded=True)
        headers, self._secrets = _headers(config, self._address)
        self._dialect = Dialect()
        self._structured: set[str] = set()  # the stages whose schemas were answered once
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),  # the slots are the limit
            timeout=aiohttp.ClientTimeout(total=config.timeout_s, sock_connect=10),
            headers=headers,
        )

    async def reach(self) -> None:
        """Raises `TeacherError` where nothing listens at the address, before any row is tried."""
        try:
            timeout = aiohttp.ClientTimeout(GREETING_S)
            async with self._session.get(self._url, timeout=timeout, allow_redirects=False):
                pass  # whatever it says to a GET, somebody is there
        except aiohttp.ClientConnectorError as error:
            raise TeacherError(f"teacher.base_url: cannot reach {self._address}: {_why(error)}") from None
        except (aiohttp.ClientError, TimeoutError):
            pass  # it is there, and the retries deal with its moods

    async def chat(self, request: Request) -> Reply:
        """Answer one request, in as much of the chat API as the server takes."""
        dialect = self._dialect
        while True:
            status, headers, content = await self._post(request_body(self.name, request, self._extra, dialect))
            answer = _parsed(content) if status == 200 else None
            if answer is not None and "choices" not in answer and "error" in answer:
                status, answer = _status_inside(answer["error"]), None  # routers say 200 and mean it not
            if answer is not None:
                self._adopt(dialect, request)
                return read_completion(answer)
            if status == 200:
                raise TransientError("the server's answer is not a JSON object")
            refusal = read_refusal(content)
            too_long = status in _TOO_LONG_FOR and _TOO_LONG.search(f"{refusal.text} {refusal.field}")
            smaller = None
            if self._suspects_schema(status, request):
                smaller = less_structured(dialect, request)
            elif status in _MAY_TEACH and not too_long:
                smaller = learned(dialect, request, self._extra, refusal)
            if smaller is None:
                raise self._failure(status, headers, refusal, bool(too_long))
            dialect = smaller

    async def load(self) -> Load | None:
        """How busy the server says it is, None where it has no `/metrics` with vLLM's names."""
        try:
            timeout = aiohttp.ClientTimeout(GREETING_S)
            url = URL(self._address.at_root("metrics"), encoded=True)
            async with self._session.get(url, timeout=timeout, allow_redirects=False) as response:
                return vllm_load(await response.text()) if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    async def close(self) -> None:
        await self._session.close()

    @property
    def _extra(self) -> dict[str, Any]:
        return self._config.extra_body

    async def _post(self, body: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        try:
            data = orjson.dumps(body)
            async with self._session.post(self._url, data=data, allow_redirects=False) as response:
                return response.status, response.headers, await response.read()
        except TimeoutError:
            limit = f"{self._config.timeout_s:g} s (teacher.timeout_s)"
            raise TransientError(f"no answer from {self._address} within {limit}", overloaded=True) from None
        except (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError) as error:
            raise Unreachable(f"no answer from {self._address}: {self._one_line(_why(error))}") from None

    def _suspects_schema(self, status: int, request: Request) -> bool:
        """VLLM says no more than HTTP 500 to a schema that its grammar compiler cannot take, each time again."""
        unproven = request.json_schema is not None and request.stage not in self._structured
        return status == 500 and request.attempt >= SUSPECT_AFTER and unproven and "response_format" not in self._extra

    def _adopt(self, dialect: Dialect, request: Request) -> None:
        """Remember what the server has just accepted. Many requests may find it out at once: the first one says so."""
        if request.json_schema is not None:
            self._structured.add(request.stage)
        known, joined = self._dialect, self._dialect | dialect
        if joined != known:
            self._dialect = joined
            log.warning("teacher: %s does not take all that was asked for: %s", self.name, joined.given_up(known))

    def _failure(self, status: int, headers: Mapping[str, str], refusal: Refusal, too_long: bool) -> Exception:
        detail = f"HTTP {status}: {self._one_line(refusal.text)}"
        if too_long:
            return RequestFailed(Reason.CONTEXT_LENGTH, detail)
        if 300 <= status < 400:
            place = self._one_line(shown(headers.get("Location", "nowhere")))
            return TeacherError(f"teacher.base_url: {self._address} redirects to {place} (HTTP {status}), use that one")
        if status in _STOP or "insufficient_quota" in refusal.text:
            hint = _HINTS.get(status, "").format(self._config.api_key_env)
            return TeacherError(f"teacher: the server at {self._address} refuses: {detail}{hint}")
        if status in _TEMPORARY or status >= 500:
            reason = Reason.RATE_LIMIT if status == 429 else Reason.TRANSPORT
            wish = retry_after_s(headers, time.time())
            detail += f" (it asks to wait {wish:.0f} s)" if wish and wish >= 1 else ""
            return TransientError(detail, reason, wish, status in _OVERLOADED)
        return RequestFailed(Reason.BAD_REQUEST, detail)

    def _one_line(self, text: str) -> str:
        """The server's words, short, without the key and headers should it echo them."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return " ".join(text.split())[:200]


def _headers(config: TeacherConfig, address: Address) -> tuple[dict[str, str], list[str]]:
    """The headers of every request, and which of their values are in no text that anybody reads."""
    headers, secrets = {"Content-Type": "application/json"}, []
    key = os.environ.get(config.api_key_env, "").strip()
    if address.credentials:
        plain = unquote(address.credentials)
        encoded = base64.b64encode(plain.encode()).decode()
        headers["Authorization"] = f"Basic {encoded}"
        secrets += [address.credentials, plain, plain.partition(":")[2], encoded]
    elif key:
        headers |= {"api-key": key} if address.is_azure else {"Authorization": f"Bearer {key}"}
    for name, value in config.headers.items():
        if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name) or re.search(r"[\r\n\0]", value):
            raise ConfigError(f"teacher.headers.{name!r}: expected a header's name, and a value of one line")
        secrets += [value, *value.split()[1:]] if len(value) >= LONG_ENOUGH else []
    secrets += [
        value for name, value in parse_qsl(address.query) if name != "api-version" and len(value) >= LONG_ENOUGH
    ]
    own = {name.lower() for name in config.headers}
    headers = {name: value for name, value in headers.items() if name.lower() not in own} | config.headers
    return headers, sorted(filter(None, [key, *secrets]), key=len, reverse=True)


def _why(error: Exception) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ConnectionRefusedError):
        return os.strerror(errno.ECONNREFUSED)  # without the addresses that asyncio puts around it
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def _parsed(content: bytes) -> dict[str, Any] | None:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None


def _status_inside(error: Any) -> int:
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 502


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """What the server asks to wait: `Retry-After` as seconds or as a date, or `retry-after-ms`."""
    wish, milliseconds = headers.get("Retry-After", ""), headers.get("retry-after-ms", "")
    try:
        seconds = float(milliseconds) / 1000 if milliseconds else float(wish)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(wish).timestamp() - now
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
