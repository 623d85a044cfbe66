"""The `openai` teacher against a real HTTP server: what it answers, what it refuses, how it fails."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.reasons import Reason
from skillmill.teachers.accounting import Counted, Usage
from skillmill.teachers.base import Reply, Request, Sampling, TurnFailed
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.openai import OpenAI
from skillmill.teachers.resilience import Resilient, RetryPolicy

QUICK = RetryPolicy(tries=4, first_pause_s=0.01, longest_pause_s=0.05)


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
    assert isinstance(failure, TurnFailed)
    assert failure.reason == Reason.BAD_REQUEST
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


def test_the_key_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    from skillmill.teachers.openai import _message

    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-123")
    said = _message(b'{"error": {"message": "Incorrect API key provided: sk-secret-123."}}', "sk-secret-123")
    assert said == "Incorrect API key provided: [key]."


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"model": "m"}, r"teacher\.base_url"),
        ({"base_url": "localhost:8000", "model": "m"}, r"teacher\.base_url: expected an http"),
        ({"base_url": "http://localhost:8000"}, r"teacher\.model"),
    ],
)
def test_what_is_missing_is_named(config: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        OpenAI(TeacherConfig(kind="openai", **config))
