"""The engine `openai` against a real HTTP server: replies, rejected requests and failures."""

import asyncio
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.reasons import BAD_REQUEST, CONTEXT_LENGTH
from skillmill.teachers.base import Reply, Request, RequestFailed, Sampling
from skillmill.teachers.config import Retry, TeacherConfig
from skillmill.teachers.engines.openai import OpenAI
from skillmill.teachers.middleware.accounting import Counted, Usage
from skillmill.teachers.middleware.resilience import Resilient
from skillmill.teachers.structured import object_schema, parse_object

QUICK = Retry(tries=4, first_pause_s=0.01, longest_pause_s=0.05, patience_s=1)


def request(text: str, seed: int = 1, schema: dict[str, Any] | None = None) -> Request:
    return Request([{"role": "user", "content": text}], Sampling(max_tokens=50), seed, schema)


def ask_all(
    base_url: str, requests: list[Request], usage: Usage | None = None, max_in_flight: int = 8, **config: Any
) -> list[Reply | BaseException]:
    async def run() -> list[Reply | BaseException]:
        engine = OpenAI(TeacherConfig(kind="openai", base_url=base_url, model="m", **config))
        teacher = Resilient(Counted(engine, usage or Usage()), max_in_flight, QUICK)
        try:
            return await asyncio.gather(*map(teacher.chat, requests), return_exceptions=True)
        finally:
            await engine.close()

    return asyncio.run(run())


def test_answers_with_text_reason_and_token_counts(scripted_server: Callable[..., Any]) -> None:
    [reply] = ask_all(scripted_server().base_url, [request("write it as Answer: and Explanation:")])
    assert isinstance(reply, Reply)
    assert reply.text.startswith("Answer: The ")
    assert reply.finish_reason == "stop"
    assert reply.prompt_tokens > 0
    assert reply.completion_tokens > 0


def test_a_schema_is_asked_for_and_kept(scripted_server: Callable[..., Any]) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    [reply] = ask_all(scripted_server().base_url, [request("count", schema=schema)])
    assert isinstance(reply, Reply)
    assert isinstance(orjson.loads(reply.text)["n"], int)


def test_never_more_in_flight_than_allowed(scripted_server: Callable[..., Any]) -> None:
    server = scripted_server(latency=0.02)
    replies = ask_all(server.base_url, [request(f"q{i}") for i in range(60)], max_in_flight=5)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert server.stats()["most_running"] == 5


def test_four_kinds_of_faults_are_retried_until_every_request_is_answered(
    scripted_server: Callable[..., Any],
) -> None:
    usage, server = Usage(), scripted_server(faults=0.5)
    replies = ask_all(server.base_url, [request(f"q{i}") for i in range(80)], usage)
    assert all(isinstance(reply, Reply) for reply in replies)
    total = usage.total()
    assert total.failures > 10
    assert total.calls == 80 + total.failures == server.stats()["asked"]


def test_a_bad_request_costs_that_request_alone(scripted_server: Callable[..., Any]) -> None:
    server = scripted_server(bad="poison")
    replies = ask_all(server.base_url, [request("poison" if i == 3 else f"q{i}") for i in range(8)])
    failure = replies.pop(3)
    assert isinstance(failure, RequestFailed)
    assert failure.reason == BAD_REQUEST
    assert "not welcome" in failure.detail
    assert all(isinstance(reply, Reply) for reply in replies)
    assert server.stats()["repeated"] == 0


def test_a_server_that_is_not_there_stops_the_run_with_its_address() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    replies = ask_all(f"http://127.0.0.1:{port}/v1", [request(f"q{i}") for i in range(6)])
    stops = [reply for reply in replies if isinstance(reply, TeacherError)]
    assert stops
    assert f"127.0.0.1:{port}" in str(stops[0])


def test_a_wrong_path_stops_at_once(scripted_server: Callable[..., Any]) -> None:
    [reply] = ask_all(scripted_server().address + "/nowhere", [request("q")])
    assert isinstance(reply, TeacherError)
    assert "HTTP 404" in str(reply)


SCHEMA = object_schema(answer={"type": "string", "minLength": 1, "pattern": "^[A-Z]"})


@pytest.mark.parametrize(
    ("refuse", "message"),
    [
        ("pattern", "schemas are sent without limits on strings"),
        ("json_schema", "replies are asked for as some JSON object, with the schema in words"),
        ("json_schema,json_object", "schemas are sent in words"),
        ("response_format", "schemas are sent in words"),
    ],
)
def test_a_server_without_structured_output_is_found_out_once(
    scripted_server: Callable[..., Any], caplog: pytest.LogCaptureFixture, refuse: str, message: str
) -> None:
    server = scripted_server(refuse=refuse, latency=0.01)
    requests = [request(f"q{i}", schema=SCHEMA) for i in range(40)]
    replies = ask_all(server.base_url, requests, max_in_flight=8)
    assert all(isinstance(reply, Reply) and parse_object(reply.text, ("answer",)) for reply in replies)
    assert [record.message.partition("for: ")[2] for record in caplog.records] == [message]
    steps = {"pattern": 1, "json_schema": 1}.get(refuse, 2)
    assert server.stats()["refused"] <= 8 * steps  # the requests in flight, and none after them


def test_sampling_fields_that_a_reasoning_model_refuses_are_dropped_or_renamed(
    scripted_server: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    server = scripted_server(refuse="max_tokens,temperature,top_p")
    replies = ask_all(server.base_url, [request(f"q{i}") for i in range(20)], max_in_flight=1)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert server.stats()["refused"] == 3
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    for part in ("temperature is not sent", "top_p is not sent", "max_tokens is sent as max_completion_tokens"):
        assert part in record.message


@pytest.mark.parametrize("how", ["tags", "cut", "field"])
def test_thinking_is_kept_apart_from_the_answer(scripted_server: Callable[..., Any], how: str) -> None:
    [reply] = ask_all(scripted_server(think=how).base_url, [request("q", schema=SCHEMA)])
    assert isinstance(reply, Reply)
    assert reply.thinking == "Let me {think} first."
    assert orjson.loads(reply.text).keys() == {"answer"}
    assert reply.thinking_tokens == (7 if how == "field" else 0)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def ask_handler(
    handle: Handler,
    requests: list[Request],
    path: str = "/v1",
    max_in_flight: int = 8,
    tries: int = QUICK.tries,
    **config: Any,
) -> list[Any]:
    """Return replies and failures of requests to a server with `handle`; `base_url` in `config` may hold `{port}`."""
    retry = QUICK.model_copy(update={"tries": tries})

    async def run() -> list[Any]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        async with TestServer(app, host="127.0.0.1") as server:
            settings = {"base_url": f"http://127.0.0.1:{server.port}{path}"} | config
            settings["base_url"] = settings["base_url"].format(port=server.port)
            engine = OpenAI(TeacherConfig(kind="openai", model="m", **settings))
            try:
                return await asyncio.gather(
                    *map(Resilient(engine, max_in_flight, retry).chat, requests), return_exceptions=True
                )
            finally:
                await engine.close()

    return asyncio.run(run())


def always(status: int, body: Any, **headers: str) -> Handler:
    async def handle(_: web.Request) -> web.Response:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return web.Response(
            status=status, body=raw, headers={name.replace("_", "-"): headers[name] for name in headers}
        )

    return handle


def answer(text: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop", **more}], "usage": None}


def test_azure_keeps_its_query_and_gets_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str | None, str | None]] = []

    async def handle(http: web.Request) -> web.Response:
        seen.append((http.path_qs, http.headers.get("api-key"), http.headers.get("Authorization")))
        return web.json_response(answer("yes"))

    monkeypatch.setenv("AZURE_KEY", "k-123\n")
    path = "/openai/deployments/gpt/?api-version=2024-10-21"
    [reply] = ask_handler(handle, [request("q")], path, api_key_env="AZURE_KEY")
    assert reply.text == "yes"
    assert seen == [("/openai/deployments/gpt/chat/completions?api-version=2024-10-21", "k-123", None)]


def test_credentials_in_the_address_become_a_header_and_are_in_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def handle(http: web.Request) -> web.Response:
        seen.append(http.headers["Authorization"])
        return web.json_response({"error": {"message": f"{seen[-1]} me:hush h-secret-1 q-secret"}}, status=403)

    url = "http://me:hush@127.0.0.1:{port}/v1?token=q-secret"
    [error] = ask_handler(handle, [request("q")], base_url=url, headers={"X-Mine": "h-secret-1", "accept": "x"})
    assert seen == ["Basic bWU6aHVzaA=="]
    assert isinstance(error, TeacherError)
    assert "HTTP 403: Basic [hidden] [hidden] [hidden] [hidden]; the key" in str(error)
    assert "OPENAI_API_KEY" in str(error)
    url = url.format(port=80)
    settings = TeacherConfig(kind="openai", model="m", base_url=url, headers={"X-Mine": "h-secret-1", "accept": "x"})
    for text in (repr(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert not re.search("hush|secret", text)


def test_a_header_of_the_users_own_replaces_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    async def handle(http: web.Request) -> web.Response:
        seen.append(http.headers.getall("Authorization"))
        return web.json_response(answer("yes"))

    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    ask_handler(handle, [request("q")], headers={"authorization": "Token mine"})
    assert seen == [["Token mine"]]


def test_a_key_that_the_server_echoes_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    body = {"error": {"message": "Incorrect API key\nprovided: sk-1."}}
    [error] = ask_handler(always(401, body), [request("q")])
    assert "HTTP 401: Incorrect API key provided: [hidden]." in str(error)


@pytest.mark.parametrize("base_url", ["ftp://me:hush@host/v1", "me:hush@host/v1", "http://me:hush@[::1/v1"])
def test_an_address_that_cannot_be_read_is_not_shown_with_its_password(base_url: str) -> None:
    with pytest.raises(ConfigError, match=r"teacher\.base_url") as error:
        OpenAI(TeacherConfig(kind="openai", base_url=base_url, model="m"))
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "This model's maximum context length is 2048 tokens. However, you requested 9."}}),
        (400, {"object": "error", "message": "The decoder prompt (length 9) is longer than the maximum model length"}),
        (400, {"error": {"code": 400, "message": "the request exceeds", "type": "exceed_context_size_error"}}),
        (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 9"}),
        (400, {"message": "The input (9 tokens) is longer than the model's context length (8 tokens)."}),
        (400, {"error": {"message": "too long", "code": "context_length_exceeded"}}),
        (413, {"detail": "prompt is too long: 9 tokens > 8 maximum"}),
        (500, {"error": {"message": "context size exceeded", "code": 500}}),
    ],
)
def test_a_prompt_that_is_too_long_is_known_by_every_servers_words(status: int, body: Any) -> None:
    [failure] = ask_handler(always(status, body), [request("q", schema=SCHEMA)])
    assert isinstance(failure, RequestFailed)
    assert failure.reason == CONTEXT_LENGTH


@pytest.mark.parametrize(
    ("status", "body", "match"),
    [
        (401, b"no", "HTTP 401: no"),
        (403, b"no", "HTTP 403"),
        (404, {"error": {"message": "The model `m` does not exist"}}, "HTTP 404: The model"),
        (405, b"", "HTTP 405"),
        (302, b"", "redirect"),
        (429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}, "quota"),
    ],
)
def test_what_no_request_can_have_stops_the_run_at_once(status: int, body: Any, match: str) -> None:
    asked = 0

    async def handle(http: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return await always(status, body)(http)

    [error] = ask_handler(handle, [request("q")])
    assert isinstance(error, TeacherError)
    assert match in str(error)
    assert asked == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>busy</html>",
        b"[1]",
        b'{"choices": []}',
        b'{"choices": [{"mess',
        {"choices": [{"message": {"content": 7}}]},
        {"choices": [{"message": None}]},
        {"error": {"message": "Provider returned error", "code": 503}},
        answer("half of", finish_reason="error"),
    ],
)
def test_broken_replies_are_asked_again(body: Any) -> None:
    tries = 0

    async def handle(http: web.Request) -> web.StreamResponse:
        nonlocal tries
        tries += 1
        return await always(200, body if tries < 3 else answer("whole"))(http)

    [reply] = ask_handler(handle, [request("q")])
    assert isinstance(reply, Reply)
    assert reply.text == "whole"
    assert tries == 3


def test_a_refusal_of_one_prompt_does_not_take_structured_output_from_the_others() -> None:
    """The error message echoes a prompt about response_format: only a reply shows that a smaller dialect was needed."""
    forms: list[str] = []

    async def handle(http: web.Request) -> web.StreamResponse:
        body = await http.json()
        text = body["messages"][0]["content"]
        if "poison" in text:
            return await always(400, {"error": {"message": f"response_format: bad input {text}"}})(http)
        await asyncio.sleep(0.02)
        forms.append(body["response_format"]["type"])
        return await always(200, answer('{"answer": "A"}'))(http)

    requests = [request("poison" if i == 3 else f"q{i}", schema=SCHEMA) for i in range(20)]
    replies = ask_handler(handle, requests)
    assert isinstance(replies.pop(3), RequestFailed)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert set(forms) == {"json_schema"}


def test_a_schema_that_only_ever_gets_http_500_is_sent_with_less(caplog: pytest.LogCaptureFixture) -> None:
    """As in vLLM 0.32 with xgrammar, whose compiler fails in the engine without a message from the server."""

    async def handle(http: web.Request) -> web.StreamResponse:
        schema = (await http.json())["response_format"]["json_schema"]["schema"]
        limited = "pattern" in schema["properties"]["answer"]
        return await always(500 if limited else 200, {"error": {"message": "boom"}} if limited else answer("{}"))(http)

    replies = ask_handler(handle, [request(f"q{i}", schema=SCHEMA) for i in range(20)])
    assert all(isinstance(reply, Reply) for reply in replies)
    assert "schemas are sent without limits on strings" in caplog.text


def test_http_500_does_not_take_structured_output_from_a_server_that_has_it() -> None:
    forms: list[str] = []

    async def handle(http: web.Request) -> web.StreamResponse:
        body = await http.json()
        if body["messages"][0]["content"] != "q0":
            await asyncio.sleep(0.01)
            return await always(200, answer("{}"))(http)
        forms.append(body["response_format"]["type"])
        return await always(500, {"error": {"message": "boom"}})(http)

    replies = ask_handler(handle, [request(f"q{i}", schema=SCHEMA) for i in range(60)])
    assert isinstance(replies[0], RequestFailed)
    assert set(forms) == {"json_schema"}


def test_a_time_out_names_its_key() -> None:
    async def handle(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.5)
        return web.Response()

    [error] = ask_handler(handle, [request("q")], timeout_s=0.02)
    assert "within 0.02 s (teacher.timeout_s)" in str(error)


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"model": "m"}, r"base_url: expected the server's address"),
        ({"base_url": "localhost:8000", "model": "m"}, r"teacher\.base_url: expected an http"),
        ({"base_url": "http://localhost:8000"}, r"model: expected the model's name"),
    ],
)
def test_what_is_missing_is_named(config: dict[str, str], key: str) -> None:
    with pytest.raises((ConfigError, ValidationError), match=key):
        TeacherConfig(kind="openai", **config)
