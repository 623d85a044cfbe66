"""The engine `openai`: any OpenAI-compatible chat server, over a pooled asynchronous HTTP client.

aiohttp with orjson takes about 0.5 ms of CPU for a request at full occupancy; httpx 0.28 with a large pool takes 17 ms.
"""

import asyncio
import base64
import errno
import logging
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import parse_qsl, unquote

import aiohttp
import orjson
from yarl import URL

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.teachers.base import Load, Reply, Request, TransientError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines import OpenEngine
from skillmill.teachers.engines.chat_api.address import HIDDEN, Address, parse_address
from skillmill.teachers.engines.chat_api.completion import read_completion
from skillmill.teachers.engines.chat_api.dialect import (
    Dialect,
    dialect_without_system,
    less_structured,
    request_body,
    smaller_dialect,
)
from skillmill.teachers.engines.chat_api.error_message import read_error_message
from skillmill.teachers.engines.chat_api.http_failures import Unreachable, http_failure, is_too_long
from skillmill.teachers.engines.chat_api.tolerant_json import read_json
from skillmill.teachers.engines.chat_api.vllm_metrics import vllm_load
from skillmill.teachers.engines.served.server import Served, healthy_server, serve_command

PROBE_TIMEOUT_S = 5.0
"""The time-out of requests other than chat requests."""
SUSPECT_AFTER = 2
"""Number of tries that end in HTTP 500 before the schema is treated as the cause."""
SECRET_LENGTH = 6
"""Characters. Shorter header values ("true", "2024") are not secrets, and hiding them would garble messages."""

_DIALECT_STATUSES = {400, 404, 415, 422, 501}
"""Statuses whose error message may name a field that the server does not support."""
_ERROR_KEYS = ("error", "detail", "message", "msg")
_INVALID_REQUEST = re.compile(r"invalid_?request|bad_?request|not_?found", re.IGNORECASE)

log = logging.getLogger(__name__)


def engine_name(config: TeacherConfig) -> str:
    """Return the teacher's name in plan and rows: the model's name on the server."""
    return config.model or ""


def check_engine(config: TeacherConfig) -> None:
    """Check address, headers and the program of `serve`. Raises `ConfigError`."""

    async def check() -> None:
        await OpenAI(config, None if config.serve is None else "http://127.0.0.1/v1").close()

    if config.serve is not None and which(program := serve_command(config.serve, 0, config.section)[0]) is None:
        raise ConfigError(f"{config.section}.serve: there is no program {program!r}")
    asyncio.run(check())


@asynccontextmanager
async def open_engine(config: TeacherConfig, folder: Path) -> AsyncIterator[OpenEngine]:
    """Open a client for the server; with `serve`, start the server first. Its log is `serve.log` in `folder`.

    Raises `ConfigError` as `OpenAI` does and `TeacherError` if the server cannot be reached or started.
    """
    server = None if config.serve is None else await healthy_server(config, folder / "serve.log")
    client = OpenAI(config, None if server is None else server.base_url)
    try:
        if server is None:
            await client.reach()
        yield OpenEngine(client if server is None else Served(client, server), client.load)
    finally:
        await client.close()


class OpenAI:
    """A client of one chat server. It must be created and closed inside the event loop that uses it.

    Raises `ConfigError` for an address or a header that HTTP does not allow.
    """

    def __init__(self, config: TeacherConfig, base_url: str | None = None) -> None:
        self._address = parse_address(base_url or config.base_url or "", config.section)
        self.name = engine_name(config)
        self._config = config
        self._url = URL(self._address.endpoint("chat/completions"), encoded=True)
        headers, self._secrets = _headers_and_secrets(config, self._address)
        self._dialect = Dialect()
        self._proven_stages: set[str] = set()  # stages with a reply to a request that had a schema
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),  # `Slots` limits the requests in flight
            timeout=aiohttp.ClientTimeout(total=config.timeout_s, sock_connect=10),
            headers=headers,
        )

    async def reach(self) -> None:
        """Check that a server listens at the address, before any row is tried. Raises `TeacherError` if not."""
        try:
            timeout = aiohttp.ClientTimeout(PROBE_TIMEOUT_S)
            async with self._session.get(self._url, timeout=timeout, allow_redirects=False):
                pass  # any response to a GET shows that a server is there
        except aiohttp.ClientConnectorError as error:
            key = f"{self._config.section}.base_url"
            raise TeacherError(f"{key}: cannot reach {self._address}: {_cause(error)}") from None
        except (aiohttp.ClientError, TimeoutError):
            pass  # a server is there; the retries handle other failures

    async def chat(self, request: Request) -> Reply:
        """Answer one request, in the largest dialect of the chat API that the server supports."""
        dialect = self._dialect
        while True:
            status, headers, content = await self._post(request_body(self.name, request, self._extra, dialect))
            completion = _json_object(content) if status == 200 else None
            if completion is not None and _is_error(completion):
                status, completion = _status_in_error(completion), None  # routers send errors with status 200
            if completion is not None:
                self._adopt(dialect, request)
                return read_completion(completion)
            if status == 200:
                said = self._printable(read_error_message(content).text)
                raise TransientError(f"the server's answer is not a JSON object: {said}")
            message = read_error_message(content)
            smaller = None
            if self._suspects_schema(status, request):
                smaller = less_structured(dialect, request)
            elif status in _DIALECT_STATUSES and not is_too_long(status, message):
                smaller = smaller_dialect(dialect, request, self._extra, message)
            elif status >= 500:
                smaller = dialect_without_system(dialect, request, message)  # llama.cpp: a template that fails is a 500
            if smaller is None:
                raise http_failure(status, headers, message, self._config, self._address, self._printable)
            dialect = smaller

    async def load(self) -> Load | None:
        """Return the load that the server reports, None if it has no `/metrics` with vLLM's names."""
        try:
            timeout = aiohttp.ClientTimeout(PROBE_TIMEOUT_S)
            url = URL(self._address.at_root("metrics"), encoded=True)
            async with self._session.get(url, timeout=timeout, allow_redirects=False) as response:
                return vllm_load(await response.text()) if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    async def close(self) -> None:
        """Close the connections."""
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
            limit = f"{self._config.timeout_s:g} s ({self._config.section}.timeout_s)"
            raise TransientError(f"no answer from {self._address} within {limit}", overloaded=True) from None
        except (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError) as error:
            raise Unreachable(f"no answer from {self._address}: {self._printable(_cause(error))}") from None

    def _suspects_schema(self, status: int, request: Request) -> bool:
        """Return whether the schema may be the cause of HTTP 500.

        vLLM answers HTTP 500 without a message to each request with a schema that its grammar compiler does not take.
        """
        unproven = request.json_schema is not None and request.stage not in self._proven_stages
        return status == 500 and request.attempt >= SUSPECT_AFTER and unproven and "response_format" not in self._extra

    def _adopt(self, dialect: Dialect, request: Request) -> None:
        """Store the dialect that the server has just accepted; log it if it is smaller than the stored one.

        Concurrent requests may find the same dialect; only the first one logs it.
        """
        if request.json_schema is not None:
            self._proven_stages.add(request.stage)
        known, joined = self._dialect, self._dialect | dialect
        if joined != known:
            self._dialect = joined
            log.warning("teacher: %s does not take all that was asked for: %s", self.name, joined.missing_from(known))
            log.debug("teacher: %s takes the dialect %s", self.name, joined)

    def _printable(self, text: str) -> str:
        """Return a server's text in one line of at most 200 characters, with secrets hidden that the server echoes."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return " ".join(text.split())[:200]


def _headers_and_secrets(config: TeacherConfig, address: Address) -> tuple[dict[str, str], list[str]]:
    """Return the headers of every request, and the secrets in them and in the address, the longest first."""
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
            where = f"{config.section}.headers.{name!r}"
            raise ConfigError(f"{where}: expected a header's name, and a value of one line")
        secrets += [value, *value.split()[1:]] if len(value) >= SECRET_LENGTH else []
    secrets += [
        value for name, value in parse_qsl(address.query) if name != "api-version" and len(value) >= SECRET_LENGTH
    ]
    replaced = {name.lower() for name in config.headers}
    headers = {name: value for name, value in headers.items() if name.lower() not in replaced} | config.headers
    return headers, sorted(filter(None, [key, *secrets]), key=len, reverse=True)


def _cause(error: Exception) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ConnectionRefusedError):
        return os.strerror(errno.ECONNREFUSED)  # without the addresses that asyncio adds
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        value = read_json(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _is_error(completion: dict[str, Any]) -> bool:
    """Return whether a body with status 200 is an error: it has no choices but a key that error bodies have."""
    return not completion.get("choices") and any(completion.get(key) for key in _ERROR_KEYS)


def _status_in_error(body: dict[str, Any]) -> int:
    """Return the HTTP status that an error body names, 400 for a request that it calls invalid, else 502."""
    error = body.get("error")
    names = error if isinstance(error, dict) else body
    for key in ("code", "status", "status_code"):
        code = str(names.get(key))
        if re.fullmatch(r"[45]\d\d", code):
            return int(code)
    return 400 if _INVALID_REQUEST.search(f"{names.get('type')} {names.get('code')}") else 502
