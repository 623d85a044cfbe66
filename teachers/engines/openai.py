"""The engine `openai`: any OpenAI-compatible chat server, over a pooled asynchronous HTTP client.

aiohttp with orjson takes about 0.5 ms of CPU for a request at full occupancy; httpx 0.28 with a large pool takes 17 ms.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from yarl import URL

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.files import store_errors
from skillmill.teachers.base import Load, Reply, Request, TransientError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines import OpenEngine
from skillmill.teachers.engines.chat_api.address import HIDDEN, parse_address
from skillmill.teachers.engines.chat_api.completion import read_completion
from skillmill.teachers.engines.chat_api.dialect import (
    Dialect,
    abilities,
    dialect_without_system,
    less_structured,
    request_body,
    smaller_dialect,
)
from skillmill.teachers.engines.chat_api.error_message import ErrorMessage, read_error_message
from skillmill.teachers.engines.chat_api.event_stream import is_event_stream, joined_events
from skillmill.teachers.engines.chat_api.headers import headers_and_secrets
from skillmill.teachers.engines.chat_api.http_failures import (
    HOPELESS,
    Unreachable,
    http_failure,
    is_failed_sample,
    is_too_long,
)
from skillmill.teachers.engines.chat_api.network import cause, proxy_for, tls_context
from skillmill.teachers.engines.chat_api.tolerant_json import read_json
from skillmill.teachers.engines.chat_api.vllm_metrics import vllm_load
from skillmill.teachers.engines.served.server import Served, healthy_server, serve_command

if TYPE_CHECKING:
    from skillmill.teachers.engines.batch_api.batches import Batches

PROBE_TIMEOUT_S = 5.0
"""The time-out of requests other than chat requests."""
SUSPECT_AFTER = 2
"""Number of tries that end in HTTP 500 before the schema is treated as the cause."""
SUSPECT_SAMPLES_AFTER = 4
"""Number of samples that miss the requested form before the form is treated as the cause, if it never worked."""

_DIALECT_STATUSES = {400, 404, 415, 422, 501}
"""Statuses whose error message may name a field that the server does not support."""
GATEWAY = {502, 503, 504}
"""Statuses of a proxy that cannot reach the server."""
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

    With `batch`, the requests go through the server's batch API; open batches are recorded in `folder`/batches.

    Raises `ConfigError` as `OpenAI` does and `TeacherError` if the server cannot be reached or started.
    """
    server = None if config.serve is None else await healthy_server(config, folder / "serve.log")
    # No proxy stands between this process and its child.
    client = OpenAI(config, None if server is None else server.base_url, proxied=server is None)
    try:
        if server is None:
            await client.reach()
        teacher = client if server is None else Served(client, server)
        if config.batch:
            from skillmill.teachers.engines.batch_api.opening import open_batches  # needed for this setting only

            with open_batches(client, config, folder) as batches:
                client.batches = batches
                try:
                    yield OpenEngine(teacher, batches=batches)
                finally:
                    await batches.close()
        else:
            yield OpenEngine(teacher, client.load)
    finally:
        await client.close()


class OpenAI:
    """A client of one chat server. It must be created and closed inside the event loop that uses it.

    `proxied`: the environment's proxies are used. Raises `ConfigError` for an address or a header that HTTP does not
    allow, and as `proxy_for` and `tls_context` do.
    """

    def __init__(self, config: TeacherConfig, base_url: str | None = None, proxied: bool = True) -> None:
        self._address = parse_address(base_url or config.base_url or "", config.section)
        self.name, self.server = engine_name(config), f"{self._address}"
        self._config = config
        self._url = URL(self._address.endpoint("chat/completions"), encoded=True)
        self._proxy = proxy = proxy_for(self._address) if proxied else None
        headers, self._secrets = headers_and_secrets(config, self._address, proxy)
        self.place = f"{self._address} through {proxy}" if proxy else f"{self._address}"
        self._options: dict[str, Any] = {"proxy": proxy.url if proxy else None, "allow_redirects": False}
        self.batches: Batches | None = None
        self._dialect = Dialect()
        self._proven: frozenset[str] = frozenset()  # `abilities` of the requests that were answered
        encrypted = self._address.scheme == "https" or (proxy is not None and proxy.url.startswith("https:"))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(  # `Slots` limits the requests in flight
                limit=0, keepalive_timeout=30, ssl=tls_context() if encrypted else True
            ),
            timeout=aiohttp.ClientTimeout(total=config.timeout_s, sock_connect=10),
            headers=headers,
        )

    async def reach(self) -> None:
        """Check that a server listens at the address, before any row is tried. Raises `TeacherError` if not."""
        try:
            timeout = aiohttp.ClientTimeout(PROBE_TIMEOUT_S)
            async with self._session.get(self._url, timeout=timeout, **self._options):
                pass  # any response to a GET shows that a server is there
        except aiohttp.ClientConnectorError as error:
            raise self._unreachable(error) from None
        except aiohttp.ClientHttpProxyError as error:
            if error.status in HOPELESS:
                raise self._unreachable(error) from None
        except (aiohttp.ClientError, TimeoutError):
            pass  # a server is there; the retries handle other failures

    async def chat(self, request: Request) -> Reply:
        """Answer one request, in the largest dialect of the chat API that the server supports."""
        dialect = self._dialect
        while True:
            status, headers, content = await self._answer(request, dialect)
            completion = _read_body(content) if status == 200 else None
            if completion is not None and _is_error(completion):
                content = json.dumps(completion).encode()
                status, completion = _status_in_error(completion), None  # routers send errors with status 200
            if completion is not None:
                reply = read_completion(completion, request)
                self._adopt(dialect, request)
                return reply
            if status == 200:
                said = self._printable(read_error_message(content).text)
                kind = "is an event stream that was cut" if is_event_stream(content) else "is not a JSON object"
                raise TransientError(f"the server's answer {kind}: {said}")
            message = read_error_message(content)
            if status in GATEWAY and self._proxy:  # the proxy's words or the server's, which only the proxy knows
                message = replace(message, text=f"through {self._proxy}: {message.text}")
            smaller = self._smaller_dialect(dialect, request, status, message)
            if smaller is None:
                raise http_failure(status, headers, message, self._config, self.place, self._printable)
            dialect = smaller

    async def call(
        self,
        method: str,
        endpoint: str,
        *,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        save_to: Path | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send a request other than a chat; return status, headers and body of the response.

        `endpoint` is below the base path. With `save_to`, a body of status 200 is written there. Raises
        `TransientError` if there is no response and `TeacherError` if the proxy refuses.
        """
        url = URL(self._address.endpoint(endpoint), encoded=True)
        url = url.update_query(query) if query else url
        with self._no_answer():
            async with self._session.request(method, url, data=data, headers=headers, **self._options) as response:
                if save_to is None or response.status != 200:
                    return response.status, response.headers, await response.read()
                with store_errors(f"cannot write {save_to}"):
                    file = save_to.open("wb")
                with file:
                    async for chunk in response.content.iter_chunked(1 << 20):  # an `OSError` of its own kinds
                        with store_errors(f"cannot write {save_to}"):
                            file.write(chunk)
                return response.status, response.headers, b""

    def failure(self, status: int, headers: Mapping[str, str], content: bytes) -> Exception:
        """Return the exception for a response that reports a failure."""
        message = read_error_message(content)
        return http_failure(status, headers, message, self._config, self.place, self._printable)

    def assume(self, dialect: Dialect) -> None:
        """Take in that the server needs a dialect at least this small, as an earlier process found out."""
        self._dialect |= dialect

    async def load(self) -> Load | None:
        """Return the load that the server reports, None if it has no `/metrics` with vLLM's names."""
        try:
            timeout = aiohttp.ClientTimeout(PROBE_TIMEOUT_S)
            url = URL(self._address.at_root("metrics"), encoded=True)
            async with self._session.get(url, timeout=timeout, **self._options) as response:
                return vllm_load(await response.text()) if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    @property
    def _extra(self) -> dict[str, Any]:
        return self._config.extra_body

    async def _answer(self, request: Request, dialect: Dialect) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body of the response to a chat request, in a batch if there are batches."""
        data = orjson.dumps(request_body(self.name, request, self._extra, dialect))
        if self.batches is not None:
            return await self.batches.ask(request.key, data, dialect)
        with self._no_answer():
            async with self._session.post(self._url, data=data, **self._options) as response:
                return response.status, response.headers, await response.read()

    @contextmanager
    def _no_answer(self) -> Iterator[None]:
        """Raise `TransientError` for a request without a response, and `TeacherError` if the proxy refuses."""
        try:
            yield
        except TimeoutError:
            limit = f"{self._config.timeout_s:g} s ({self._config.section}.timeout_s)"
            raise TransientError(f"no answer from {self.place} within {limit}", overloaded=True) from None
        except (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError) as error:
            if isinstance(error, aiohttp.ClientHttpProxyError) and error.status in HOPELESS:
                raise self._unreachable(error) from None
            raise Unreachable(f"no answer from {self.place}: {self._printable(cause(error))}") from None

    def _unreachable(self, error: Exception) -> TeacherError:
        fault = self._printable(cause(error))
        return TeacherError(f"{self._config.section}.base_url: cannot reach {self.place}: {fault}")

    def _smaller_dialect(
        self, dialect: Dialect, request: Request, status: int, message: ErrorMessage
    ) -> Dialect | None:
        """Return the dialect to try after a failure, None if the request's dialect is not the cause.

        Raises `TransientError` if the message names what the server has had before: a router may have sent the request
        to another machine.
        """
        smaller = None
        if self._suspects_schema(status, request, message):
            smaller = less_structured(dialect, request)
        elif is_failed_sample(status, message) or is_too_long(status, message):
            return None
        elif status in _DIALECT_STATUSES:
            smaller = smaller_dialect(dialect, request, self._extra, message)
        elif status >= 500:
            smaller = dialect_without_system(dialect, request, message)  # llama.cpp: a template that fails is a 500
        if smaller is None:
            return None
        given_up = abilities(request, dialect, self._extra) - abilities(request, smaller, self._extra)
        if given_up - self._proven:
            return smaller
        if request.attempt < SUSPECT_AFTER:
            raise TransientError(f"HTTP {status}, though it took such requests before: {self._printable(message.text)}")
        return None

    def _suspects_schema(self, status: int, request: Request, message: ErrorMessage) -> bool:
        """Return whether the schema may be the cause, though the message does not say so.

        vLLM answers HTTP 500 without a message to each request with a schema that its grammar compiler does not take.
        A model that never keeps to a schema gets another form of it.
        """
        if request.json_schema is None or "response_format" in self._extra:
            return False
        if is_failed_sample(status, message):
            return request.attempt >= SUSPECT_SAMPLES_AFTER
        return status == 500 and request.attempt >= SUSPECT_AFTER

    def _adopt(self, dialect: Dialect, request: Request) -> None:
        """Store the dialect that the server has just accepted; log it if it is smaller than the stored one.

        Concurrent requests may find the same dialect; only the first one logs it.
        """
        self._proven |= abilities(request, dialect, self._extra)
        if dialect is self._dialect:  # as with all requests but the first few
            return
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


def _read_body(content: bytes) -> dict[str, Any] | None:
    """Return the JSON object in a body, or that which its events make up; None if there is none."""
    try:
        value = read_json(content)
    except ValueError:
        return joined_events(content) if is_event_stream(content) else None
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
