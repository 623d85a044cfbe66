"""When refusals mean that the server refuses everything."""

from typing import Any

from skillmill.data.errors import TeacherError
from skillmill.data.reasons import BAD_REQUEST
from skillmill.teachers.base import Reply, RequestFailed
from skillmill.teachers.middleware.refusals import FIRST_REQUESTS, SAME_REFUSALS, Refusals
from tests.teachers.middleware.test_resilience import Scripted, ask, numbers


def refuse(*texts: str) -> Any:
    return lambda text, _: RequestFailed(BAD_REQUEST, "HTTP 400: no") if not texts or text in texts else None


def test_a_server_that_refuses_all_first_requests_stops_the_run() -> None:
    engine = Scripted(refuse())
    replies = ask(engine, numbers(200))
    assert any("it has answered nothing yet): HTTP 400: no" in str(reply) for reply in replies)
    alone = ask(Scripted(refuse()), numbers(FIRST_REQUESTS - 1))
    assert all(isinstance(reply, RequestFailed) for reply in alone)


def test_quick_refusals_do_not_overtake_a_slow_first_reply() -> None:
    refusals = Refusals()
    assert not any(refusals.note_refusal(request, "no") for request in range(1, 2 * FIRST_REQUESTS))
    refusals.note_reply()
    assert not refusals.note_refusal(0, "no")


def test_refusals_with_the_same_words_in_a_row_stop_the_run() -> None:
    refusals = Refusals(replied=True)
    said = [refusals.note_refusal(100 + i, f"HTTP 400: no (request id: {i:x}a{i})") for i in range(SAME_REFUSALS)]
    assert [bool(each) for each in said] == [False] * (SAME_REFUSALS - 1) + [True]


def test_a_reply_or_other_words_begin_the_count_anew() -> None:
    refusals = Refusals(replied=True)
    for i in range(5 * SAME_REFUSALS):
        assert not refusals.note_refusal(100 + i, "no" if i % 40 else "something else")
    for i in range(5 * SAME_REFUSALS):
        if i % 40 == 0:
            refusals.note_reply()
        assert not refusals.note_refusal(100 + i, "no")


def test_five_bad_prompts_among_a_thousand_cost_themselves_alone() -> None:
    bad = [f"q{number}" for number in (0, 1, 2, 500, 999)]
    replies = ask(Scripted(refuse(*bad), latency=0.0), numbers(1000))
    assert [number for number, reply in enumerate(replies) if not isinstance(reply, Reply)] == [0, 1, 2, 500, 999]
    assert not any(isinstance(reply, TeacherError) for reply in replies)
