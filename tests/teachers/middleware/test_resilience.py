"""Retries, patience and the circuit breaker: which failures cost a row, cost time, or stop the run."""

import asyncio
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.errors import TeacherError
from skillmill.data.reasons import BAD_REQUEST, RATE_LIMIT, TRANSPORT
from skillmill.teachers.base import Reply, Request, RequestFailed, Sampling, TransientError
from skillmill.teachers.config import Retry, TeacherConfig
from skillmill.teachers.engines.openai import OpenAI
from skillmill.teachers.middleware.resilience import Breaker, Resilient, pause_s
from tests.conftest import SUPPORT

QUICK = Retry(tries=3, first_pause_s=0.005, longest_pause_s=0.02, patience_s=0.3)


class Scripted:
    """An engine that replies, or raises what `behave(text, attempt)` returns, after `latency` seconds."""

    name = "scripted"

    def __init__(self, behave: Callable[[str, int], Any], latency: float = 0.002) -> None:
        self._behave, self._latency = behave, latency
        self.requests: list[tuple[float, str]] = []
        self.running = self.most_running = 0

    async def chat(self, request: Request) -> Reply:
        text = request.messages[0]["content"]
        self.requests.append((time.monotonic(), text))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(self._latency)
            if failure := self._behave(text, request.attempt):
                raise failure
            return Reply(text, "stop", 1, 1)
        finally:
            self.running -= 1


def ask(engine: Any, texts: list[str], max_in_flight: int = 4, retry: Retry = QUICK) -> list[Any]:
    async def run() -> list[Any]:
        teacher = Resilient(engine, max_in_flight, retry)
        requests = [Request([{"role": "user", "content": text}], Sampling(), 1) for text in texts]
        return await asyncio.gather(*map(teacher.chat, requests), return_exceptions=True)

    return asyncio.run(run())


def numbers(count: int) -> list[str]:
    return [f"q{number}" for number in range(count)]


def test_what_passes_is_retried_and_answered() -> None:
    engine = Scripted(lambda text, attempt: TransientError("busy") if attempt < 2 else None)
    assert [reply.text for reply in ask(engine, numbers(20))] == numbers(20)
    assert len(engine.requests) == 60


def test_a_slot_is_given_back_while_a_retry_waits() -> None:
    slow = Retry(tries=2, first_pause_s=0.2, longest_pause_s=0.2)
    engine = Scripted(lambda text, attempt: TransientError("busy") if text == "q0" and attempt == 0 else None)
    ask(engine, numbers(30), max_in_flight=1, retry=slow)
    assert engine.requests[-1][1] == "q0"
    assert len({text for _, text in engine.requests[:30]}) == 30


def test_one_request_that_always_fails_costs_itself_alone() -> None:
    engine = Scripted(lambda text, _: TransientError("boom") if text == "q3" else None)
    replies = ask(engine, numbers(60), max_in_flight=2)
    failure = replies.pop(3)
    assert isinstance(failure, RequestFailed)
    assert failure.reason == TRANSPORT
    assert failure.detail.startswith("boom (")
    assert all(isinstance(reply, Reply) for reply in replies)


def test_one_request_alone_that_always_fails_is_given_up_after_the_patience() -> None:
    """With one row in flight, no other request shows whether the row or the server is at fault."""
    begun: list[float] = []

    async def run() -> list[Any]:
        teacher = Resilient(Scripted(lambda text, _: TransientError("boom") if text == "bad" else None), 1, QUICK)
        replies: list[Any] = []
        for text in ("good", "bad", "good"):
            begun.append(time.monotonic())
            request = Request([{"role": "user", "content": text}], Sampling(), 1)
            replies += await asyncio.gather(teacher.chat(request), return_exceptions=True)
        return replies

    first, bad, last = asyncio.run(run())
    assert (first.text, last.text) == ("good", "good")
    assert isinstance(bad, RequestFailed)
    assert begun[2] - begun[1] >= QUICK.patience_s


def test_a_refusal_is_not_retried() -> None:
    engine = Scripted(lambda text, _: RequestFailed(BAD_REQUEST, "no") if text == "q1" else None)
    replies = ask(engine, numbers(8))
    assert [isinstance(reply, RequestFailed) for reply in replies] == [number == 1 for number in range(8)]
    assert len(engine.requests) == 8


def test_a_server_that_comes_back_within_the_patience_costs_no_row() -> None:
    begun = time.monotonic()
    patient = QUICK.model_copy(update={"patience_s": 5.0})
    down = Scripted(lambda *_: TransientError("gone") if 0.05 < time.monotonic() - begun < 0.6 else None)
    replies = ask(down, numbers(100), retry=patient)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert len(down.requests) > 100 + 4 * QUICK.tries  # more than `tries` for each request


def test_a_server_that_stays_away_stops_the_run_after_the_patience() -> None:
    begun = time.monotonic()
    gone = Scripted(lambda *_: TransientError("gone") if time.monotonic() - begun > 0.05 else None)
    replies = ask(gone, numbers(200))
    stops = [reply for reply in replies if isinstance(reply, TeacherError)]
    assert not any(isinstance(reply, RequestFailed) for reply in replies)
    message = r"teacher: scripted keeps failing \(no answer for \d+ s\): gone; what was finished is kept"
    assert re.match(message, str(stops[0]))


def test_a_server_that_never_answered_stops_the_run_at_once() -> None:
    patient = QUICK.model_copy(update={"patience_s": 60.0})
    replies = ask(Scripted(lambda *_: TransientError("boom")), numbers(8), retry=patient)
    stop = str(next(reply for reply in replies if isinstance(reply, TeacherError)))
    assert "(it has answered nothing yet): boom" in stop  # and not: no answer for 60 s


def test_a_server_that_still_loads_its_model_is_waited_for() -> None:
    begun = time.monotonic()
    patient = QUICK.model_copy(update={"patience_s": 5.0})
    loading = Scripted(
        lambda *_: TransientError("HTTP 503", overloaded=True) if time.monotonic() - begun < 0.5 else None
    )  # fmt: skip
    assert all(isinstance(reply, Reply) for reply in ask(loading, numbers(8), retry=patient))


def test_more_than_half_that_fail_for_longer_than_the_patience_stop_the_run() -> None:
    engine = Scripted(lambda text, _: RequestFailed(BAD_REQUEST, "no") if int(text[1:]) % 3 else None)
    replies = ask(engine, numbers(2000))
    stop = next(reply for reply in replies if isinstance(reply, TeacherError))
    assert "requests): no; what was finished is kept" in str(stop)
    some = Scripted(lambda text, _: None if int(text[1:]) % 3 else RequestFailed(BAD_REQUEST, "no"))
    assert not any(isinstance(reply, TeacherError) for reply in ask(some, numbers(1000)))


def test_429_for_all_holds_all_back_and_lowers_the_number_in_flight() -> None:
    def behave(*_: Any) -> TransientError | None:
        return TransientError("429", RATE_LIMIT, 0.3, overloaded=True) if len(engine.requests) <= 8 else None

    engine = Scripted(behave)
    patient = QUICK.model_copy(update={"patience_s": 5.0})
    assert all(isinstance(reply, Reply) for reply in ask(engine, numbers(40), max_in_flight=8, retry=patient))
    times = [at for at, _ in engine.requests]
    assert times[8] - times[7] >= 0.29
    assert engine.most_running == 8


@given(st.integers(0, 900), st.none() | st.floats(0, 1e9))
def test_a_pause_is_bounded_and_not_below_the_servers_wish(attempt: int, retry_after: float | None) -> None:
    retry = Retry()
    pause = pause_s(retry, attempt, retry_after)
    assert 0 < pause <= max(retry.longest_pause_s, retry.longest_wait_s)
    assert pause >= min(retry_after or 0, retry.longest_wait_s)
    assert retry_after is not None or pause <= retry.first_pause_s * 2.0**attempt


@given(st.lists(st.tuples(st.sampled_from(["answer", "refuse", "fail", "give_up"]), st.floats(0, 3)), max_size=80))
def test_a_breaker_never_trips_before_the_patience_nor_after_an_answer(events: list[tuple[str, float]]) -> None:
    breaker, now, quiet_since = Breaker(10.0), 0.0, 0.0
    for number, (event, pause) in enumerate(events):
        now += pause
        match event:
            case "answer":
                breaker.note_reply(now)
            case "refuse":
                breaker.note_rejection(now)
            case "fail":
                breaker.note_failure(number, now)
            case _:
                breaker.note_give_up(now)
        if event in ("answer", "refuse"):
            quiet_since = now
        assert not breaker.is_down(now) or now - quiet_since >= 10
        assert not breaker.fails_mostly(now) or now >= 10


def test_a_real_server_that_is_restarted_costs_no_row() -> None:
    """The server is killed and restarted on the same port after a second: every request gets a reply."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, str(SUPPORT / "scripted_server.py"), "--port", str(port), "--latency", "0.02"]

    def start() -> "subprocess.Popen[str]":
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    async def run() -> list[Any]:
        process = start()
        engine = OpenAI(TeacherConfig(kind="openai", base_url=f"http://127.0.0.1:{port}/v1", model="m"))
        teacher = Resilient(engine, 8, Retry(tries=2, first_pause_s=0.02, longest_pause_s=0.2, patience_s=30))
        requests = [Request([{"role": "user", "content": str(i)}], Sampling(), i) for i in range(400)]
        asking = asyncio.gather(*map(teacher.chat, requests), return_exceptions=True)
        try:
            await asyncio.sleep(0.3)
            process.kill()
            process.wait()
            await asyncio.sleep(1)
            process = await asyncio.to_thread(start)
            return await asking
        finally:
            process.kill()
            process.wait()
            await engine.close()

    assert all(isinstance(reply, Reply) for reply in asyncio.run(run()))


def test_a_rate_limit_of_a_real_server_brings_the_number_in_flight_down(scripted_server: Callable[..., Any]) -> None:
    server = scripted_server(limit=6, latency=0.02)

    async def run() -> tuple[list[Any], int]:
        engine = OpenAI(TeacherConfig(kind="openai", base_url=server.base_url, model="m"))
        teacher = Resilient(engine, 48, Retry(tries=20, first_pause_s=0.02, longest_pause_s=0.1))
        requests = [Request([{"role": "user", "content": str(i)}], Sampling(), i) for i in range(600)]
        try:
            return await asyncio.gather(*map(teacher.chat, requests), return_exceptions=True), teacher.slots.limit
        finally:
            await engine.close()

    replies, limit = asyncio.run(run())
    assert all(isinstance(reply, Reply) for reply in replies)
    assert limit <= 16
    assert server.stats()["refused"] < 600
