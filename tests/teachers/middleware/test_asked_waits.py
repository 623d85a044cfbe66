"""Pauses that a server asks for: respected, said once, and ended by `longest_wait_s`."""

import logging
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.reasons import RATE_LIMIT
from skillmill.teachers.base import Reply, TransientError
from skillmill.teachers.config import Retry
from skillmill.teachers.middleware.asked_waits import AskedWaits, TeacherAsksToWait, wait_message
from skillmill.teachers.middleware.resilience import Breaker
from tests.teachers.middleware.test_resilience import QUICK, Scripted, ask, numbers


def limited(wait_s: float, first: int = 10**9) -> Scripted:
    """Return an engine whose first requests get a rate limit with a wait."""

    def behave(*_: Any) -> TransientError | None:
        return TransientError("HTTP 429: quota", RATE_LIMIT, wait_s, overloaded=True) if tries() <= first else None

    engine = Scripted(behave)

    def tries() -> int:
        return len(engine.requests)

    return engine


def test_a_longer_wait_than_allowed_ends_the_run_in_one_line() -> None:
    engine = limited(43_200)
    stop = next(reply for reply in ask(engine, numbers(4)) if isinstance(reply, Exception))
    assert isinstance(stop, TeacherAsksToWait)
    assert re.fullmatch(
        r"teacher: scripted asks to wait 43200 s, longer than retry\.longest_wait_s \(600\): HTTP 429: quota; what was "
        r"finished is kept, run again after [\d: -]+, or raise retry\.longest_wait_s to wait",
        str(stop),
    )
    assert len(engine.requests) <= 4


def test_a_wait_beyond_the_patience_is_waited_for_and_costs_no_row() -> None:
    """The server asks for longer pauses than the patience: they are respected up to `longest_wait_s`."""
    retry = Retry(tries=3, first_pause_s=0.005, longest_pause_s=0.02, patience_s=0.2, longest_wait_s=5)
    engine = limited(0.5, first=4)
    assert all(isinstance(reply, Reply) for reply in ask(engine, numbers(4), retry=retry))
    times = [at for at, _ in engine.requests]
    assert times[4] - times[3] >= 0.4


def test_the_users_limit_decides() -> None:
    strict = QUICK.model_copy(update={"longest_wait_s": 1.0})
    assert any(isinstance(reply, TeacherAsksToWait) for reply in ask(limited(1.5), numbers(2), retry=strict))
    assert all(isinstance(reply, Reply) for reply in ask(limited(0.01, first=2), numbers(2), retry=strict))


def test_long_waits_do_not_count_as_lost_patience_but_not_without_end() -> None:
    breaker = Breaker(patience_s=120, waits=AskedWaits(longest_s=600))
    now = 1000.0
    for request in (1, 2):
        breaker.note_failure(request, now)
        breaker.waits.note(432, now)  # both at once count once
    assert breaker.down_for(now + 400) == 0
    assert not breaker.is_down(now + 432 + 100)
    assert breaker.is_down(now + 432 + 120)
    breaker.waits.note(432, now + 432)
    assert not breaker.is_down(now + 600 + 119)
    assert breaker.is_down(now + 600 + 120)
    breaker.note_reply(now + 900)
    breaker.note_failure(3, now + 901)
    assert breaker.down_for(now + 911) == 10


def test_short_waits_are_part_of_the_patience() -> None:
    waits = AskedWaits(600)
    waits.note(5, 0)
    assert waits.passed_s(100) == 0
    assert not waits.should_log(10, 0)


@given(st.lists(st.tuples(st.floats(0, 2000), st.floats(0, 500)), max_size=30), st.floats(0, 1000))
def test_excused_time_is_never_more_than_has_passed_or_is_allowed(
    events: list[tuple[float, float]], longest: float
) -> None:
    waits, now = AskedWaits(longest), 0.0
    for wait, step in events:
        waits.note(wait, now)
        now += step
        assert -1e-6 <= waits.passed_s(now) <= min(now, longest) + 1e-6


def test_a_wait_is_said_once_until_it_is_much_longer_or_ten_minutes_have_passed() -> None:
    waits = AskedWaits(100_000)
    said = [
        waits.should_log(wait, at)
        for wait, at in [(30, 0), (30, 1), (45, 60), (61, 90), (100, 95), (12, 800), (9, 9000)]
    ]
    assert said == [True, False, False, True, False, True, False]


def test_the_line_names_the_wait_and_its_reason() -> None:
    line = wait_message("m", 432, "HTTP 429: quota")
    assert re.fullmatch(r"teacher: m asks to wait 432 s, until [\d: -]+: HTTP 429: quota", line)
    assert "end of the calendar" in wait_message("m", 1e30, "")


def test_one_line_for_many_requests_that_wait(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skillmill.teachers.middleware.asked_waits.LOGGED_FROM_S", 0.1)
    assert all(isinstance(reply, Reply) for reply in ask(limited(0.2, first=8), numbers(8), max_in_flight=8))
    lines = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert "asks to wait 0 s, until" in lines[0]
    assert lines[0].endswith(": HTTP 429: quota")
