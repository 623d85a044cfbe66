"""A server that streams its answer although none was asked for is read to the end, or named."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.errors import TeacherError
from skillmill.teachers.base import Reply, RequestFailed
from skillmill.teachers.engines.chat_api.event_stream import is_event_stream, joined_events
from tests.teachers.engines.test_openai import always, ask_all, ask_handler, request

PIECES = (
    b'{"id": "1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}',
    b'{"choices": [{"index": 0, "delta": {"reasoning_content": "Let "}}]}',
    b'{"choices": [{"index": 0, "delta": {"reasoning_content": "me."}}]}',
    b'{"choices": [{"index": 0, "delta": {"content": "Yes, "}}, {"index": 1, "delta": {"content": "No"}}]}',
    b'{"choices": [{"index": 0, "delta": {"content": "caf\xc3\xa9."}, "finish_reason": "length"}]}',
    b'{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}',
)
STREAM = b"\n\n".join([*(b"data: " + piece for piece in PIECES), b"data: [DONE]"]) + b"\n\n"
WHOLE = {
    "id": "1",
    "usage": {"prompt_tokens": 9, "completion_tokens": 4},
    "choices": [{"message": {"content": "Yes, caf\u00e9.", "reasoning_content": "Let me."}, "finish_reason": "length"}],
}


@pytest.mark.parametrize(
    "content",
    [
        STREAM,
        STREAM.replace(b"\n", b"\r\n"),
        STREAM.replace(b"data: ", b"data:"),
        STREAM.replace(b"\n\n", b"\n"),
        STREAM.replace(b"data: {", b"event: message\nid: 7\ndata: {"),
        b": OPENROUTER PROCESSING\n\n" + STREAM,
        b"\xef\xbb\xbf" + STREAM,
        STREAM.replace(b"data: [DONE]", b""),
        STREAM.replace(b'"delta": {"content": "Yes, "}', b'"delta":\ndata: {"content": "Yes, "}'),
    ],
)
def test_the_events_are_joined(content: bytes) -> None:
    assert is_event_stream(content)
    assert joined_events(content) == WHOLE


def test_one_event_may_hold_the_whole_completion() -> None:
    body = b'data: {"choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}]}\n\n'
    assert joined_events(body) == {"choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}]}


def test_an_error_among_the_events_is_the_answer() -> None:
    content = b"data: " + PIECES[0] + b'\n\ndata: {"error": {"message": "overloaded", "code": 503}}\n\n'
    assert joined_events(content) == {"error": {"message": "overloaded", "code": 503}}


@pytest.mark.parametrize("content", [STREAM[:200], STREAM[: STREAM.index(b'"finish')], b"data: [1]\n\n", b"data:\n\n"])
def test_a_stream_that_is_cut_is_none(content: bytes) -> None:
    assert joined_events(content) is None


@given(st.binary() | st.text().map(lambda text: b"data: " + text.encode()))
def test_any_bytes_are_a_completion_or_none(content: bytes) -> None:
    joined = joined_events(content)
    assert joined is None or "choices" in joined or "error" in joined


def test_a_server_that_streams_everything_is_read(scripted_server: Callable[..., Any]) -> None:
    plain, streamed = (scripted_server(stream=stream) for stream in (0, 1))
    requests = [request(f"q{i}") for i in range(12)]
    replies = [ask_all(server.base_url, requests) for server in (plain, streamed)]
    assert replies[0] == replies[1]
    assert all(isinstance(reply, Reply) for reply in replies[0])
    assert streamed.stats()["asked"] == 12


def test_a_stream_that_never_ends_well_is_named() -> None:
    [error] = ask_handler(always(200, STREAM[:150]), [request("q")])
    assert isinstance(error, TeacherError | RequestFailed)
    assert "the server's answer is an event stream that was cut" in str(error)
    assert "\n" not in str(error)


def test_an_error_in_a_stream_is_treated_like_any_other() -> None:
    body = b'data: {"error": {"message": "this prompt is not welcome", "type": "invalid_request_error"}}\n\n'
    [error] = ask_handler(always(200, body), [request("q")])
    assert isinstance(error, RequestFailed)
    assert "HTTP 400: this prompt is not welcome" in str(error)
