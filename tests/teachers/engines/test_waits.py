"""How long a server asks to wait, in every form that servers use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.teachers.base import TransientError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.chat_api.error_message import read_error_message
from skillmill.teachers.engines.chat_api.http_failures import http_failure
from skillmill.teachers.engines.chat_api.waits import asked_wait_s

NOW = 1795903200.0
"""22:00:00 on 28 November 2026."""
DATE = "Sat, 28 Nov 2026 22:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "-3"}, 0),
        ({"Retry-After": "6m0s"}, 360),
        ({"Retry-After": "Sat, 28 Nov 2026 22:00:06 GMT"}, 6),
        ({"Retry-After": "Sat, 28 Nov 2026 22:00:06 +0000"}, 6),
        ({"Retry-After": "2026-11-28T22:00:06Z"}, 6),
        ({"Retry-After": "Sat, 28 Nov 2026 21:00:00 GMT"}, 0),
        ({"Retry-After": "Sat, 28 Nov 2026 23:00:06 GMT", "Date": "Sat, 28 Nov 2026 23:00:00 GMT"}, 6),
        ({"Retry-After": "Sat, 28 Nov 2026 21:00:06 GMT", "Date": "Sat, 28 Nov 2026 21:00:00 GMT"}, 6),
        ({"Retry-After": "Sat, 28 Nov 2026 22:00:06 GMT", "Date": "yesterday"}, 6),
        ({"Retry-After": "1795903206"}, 6),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
        ({"retry-after-ms": "soon", "Retry-After": "1"}, 1),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "Sat, 99 Nov 2026 22:00:06 GMT"}, None),
        ({"x-ratelimit-reset-requests": "1m30s", "x-ratelimit-remaining-requests": "0"}, 90),
        ({"x-ratelimit-reset-requests": "1m30s", "x-ratelimit-remaining-requests": "3"}, None),
        ({"x-ratelimit-reset-requests": "2m59.56s", "x-ratelimit-reset-tokens": "7.66s"}, 179.56),
        ({"x-ratelimit-reset-tokens": "17ms"}, 0.017),
        ({"X-RateLimit-Reset": "1795903260000", "X-RateLimit-Remaining": "0"}, 60),
        ({"RateLimit-Reset": "50"}, 50),
        ({"anthropic-ratelimit-requests-reset": "2026-11-28T22:01:00Z"}, 60),
        ({"x-ratelimit-reset": "5 monkeys"}, None),
        ({"x-ratelimit-limit-requests": "60"}, None),
    ],
)
def test_headers(headers: dict[str, str], wait: float | None) -> None:
    assert asked_wait_s(headers, "", NOW, limited=True) == (None if wait is None else pytest.approx(wait))


@pytest.mark.parametrize(
    ("words", "wait"),
    [
        ("Rate limit reached on tokens per day (TPD): Limit 100000, Used 99000. Please try again in 7m12.5s.", 432.5),
        ("Please retry in 34.07s.", 34.07),
        ("Please retry after 6 seconds. To increase your default rate limit visit us.", 6),
        ("Please try again in 20s. Contact us", 20),
        ("Too many requests, please wait 2 minutes and 3 seconds", 123),
        ("Please try again in 1h2m", 3720),
        ("Please try again in 120ms.", 0.12),
        ("retry in about 1 hour", 3600),
        ("try again later", None),
        ("You have 3 requests per minute", None),
        ("try again in a few minutes", None),
    ],
)
def test_words(words: str, wait: float | None) -> None:
    assert asked_wait_s({}, words, NOW, limited=True) == (None if wait is None else pytest.approx(wait))


def test_resets_count_for_rate_limits_alone_and_after_retry_after() -> None:
    resets = {"x-ratelimit-reset-requests": "1m30s"}
    assert asked_wait_s(resets, "", NOW, limited=False) is None
    assert asked_wait_s(resets | {"Retry-After": "2"}, "", NOW, limited=True) == 2


def test_a_router_passes_the_headers_of_its_provider_in_the_body() -> None:
    body = (
        b'{"error": {"message": "Rate limit exceeded: free-models-per-day", "code": 429, "metadata": {"headers": '
        b'{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795903260000"}}}}'
    )
    config = TeacherConfig(kind="openai", base_url="http://127.0.0.1:9/v1", model="m")
    failure = http_failure(429, {"Date": DATE}, read_error_message(body), config, "a server", str)
    assert isinstance(failure, TransientError)
    assert failure.retry_after == 60


@given(st.text(), st.text(), st.floats(allow_nan=False, min_value=0, max_value=2e9), st.booleans())
def test_any_text_is_a_wait_or_none(value: str, words: str, now: float, limited: bool) -> None:
    wait = asked_wait_s({"Retry-After": value, "Date": words}, words, now, limited)
    assert wait is None or wait >= 0
