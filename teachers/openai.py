"""Teacher `openai`: any OpenAI-compatible chat server over a pooled asynchronous client.

aiohttp with orjson costs about 0.5 ms of CPU a request at full occupancy; httpx 0.28 with a large pool
costs 17 ms (peers.md 2.2).
"""

import asyncio
import os
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.reasons import Reason
from skillmill.teachers.base import Reply, Request, Temporary, TurnFailed
from skillmill.teachers.config import TeacherConfig

_TEMPORARY = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
_STOP = {401, 403, 404}


class OpenAI:
    """One chat endpoint. Must be opened and closed inside the event loop that uses it."""

    def __init__(self, config: TeacherConfig) -> None:
        if not config.base_url:
            raise ConfigError("teacher.base_url: expected the server's address, such as http://127.0.0.1:8000/v1")
        if urlsplit(config.base_url).scheme not in ("http", "https"):
            raise ConfigError(f"teacher.base_url: expected an http or https address, got {config.base_url!r}")
        if not config.model:
            raise ConfigError("teacher.model: expected the model's name on the server")
        self.name = config.model
        self._config = config
        self._url = config.base_url.rstrip("/") + "/chat/completions"
        self._key = os.environ.get(config.api_key_env, "")
        authorization = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=config.max_in_flight, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=config.timeout_s, sock_connect=10),
            headers={"Content-Type": "application/json", **authorization, **config.headers},
        )

    async def reach(self) -> None:
        """Raises `TeacherError` where nothing listens at the address, before any row is tried."""
        try:
            async with self._session.get(self._url):
                pass  # whatever it says to a GET, somebody is there
        except aiohttp.ClientConnectorError as error:
            raise TeacherError(f"teacher.base_url: cannot reach {self._config.base_url}: {error.strerror}") from None
        except (aiohttp.ClientError, TimeoutError):
            pass  # it is there, and the retries deal with its moods

    async def chat(self, request: Request) -> Reply:
        try:
            async with self._session.post(self._url, data=orjson.dumps(self._body(request))) as response:
                content = await response.read()
                status, headers = response.status, response.headers
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError) as error:
            what = str(error) or type(error).__name__
            raise Temporary(f"no answer from {self._config.base_url}: {what}") from None
        if status != 200:
            raise _refusal(status, _message(content, self._key), headers.get("Retry-After"))
        return _reply(content)

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._config.model,
            "messages": request.messages,
            **request.sampling.model_dump(),
            "seed": request.seed,
        }
        if request.json_schema is not None:
            schema = {"name": "answer", "strict": True, "schema": request.json_schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body | self._config.extra_body

    async def close(self) -> None:
        await self._session.close()


def _refusal(status: int, message: str, retry_after: str | None) -> Exception:
    detail = f"HTTP {status}: {message}"
    if status in _TEMPORARY:
        reason = Reason.RATE_LIMIT if status == 429 else Reason.TRANSPORT
        return Temporary(detail, reason, _seconds(retry_after))
    if status in _STOP:
        hint = " (is the variable of teacher.api_key_env set?)" if status in (401, 403) else ""
        return TeacherError(f"teacher: the server refuses: {detail}{hint}")
    too_long = "context" in detail.lower() and "length" in detail.lower()
    return TurnFailed(Reason.CONTEXT_LENGTH if too_long else Reason.BAD_REQUEST, detail)


def _message(content: bytes, key: str) -> str:
    """The server's own words in one line, without the key should it echo that."""
    try:
        error = orjson.loads(content)["error"]
        text = error["message"] if isinstance(error, dict) else str(error)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        text = content.decode("utf-8", "replace")
    line = " ".join(str(text).split())
    return (line.replace(key, "[key]") if key else line)[:200]


def _seconds(retry_after: str | None) -> float | None:
    try:
        return float(retry_after) if retry_after else None
    except ValueError:
        return None


def _reply(content: bytes) -> Reply:
    try:
        answer = orjson.loads(content)
        choice = answer["choices"][0]
        usage = answer.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        return Reply(
            text=choice["message"].get("content") or "",
            finish_reason=choice.get("finish_reason") or "stop",
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or 0),
            cached_tokens=int(details.get("cached_tokens") or 0),
            thinking=choice["message"].get("reasoning_content") or "",
        )
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise Temporary("the server's answer is not a chat completion") from None
