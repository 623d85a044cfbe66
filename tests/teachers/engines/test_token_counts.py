"""Token counts of servers that leave them out, send zeros, or count in their own way."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.teachers.base import Reply, Request, Sampling
from skillmill.teachers.engines.chat_api.completion import read_completion
from skillmill.teachers.engines.chat_api.token_counts import estimated_tokens, read_token_counts
from skillmill.teachers.middleware.accounting import Budget, BudgetMet, Usage
from tests.teachers.engines.test_openai import ask_all, request

QUESTION = Request([{"role": "system", "content": "s" * 40}, {"role": "user", "content": "u" * 80}], Sampling(), 1)
"""30 tokens, estimated."""
TEXT = "t" * 20
"""5 tokens, estimated."""


NOTHING: list[Any] = [
    None,
    {},
    [],
    "none",
    {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    {"prompt_tokens": None, "completion_tokens": None},
    {"prompt_tokens": -1, "completion_tokens": -1},
    {"prompt_tokens": "many", "completion_tokens": "few"},
    {"prompt_tokens": True, "completion_tokens": float("nan")},
    {"prompt_tokens": float("inf"), "completion_tokens": {"tokens": 3}},
]


@pytest.mark.parametrize(
    ("usage", "prompt", "completion", "estimated"),
    [
        ({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}, 11, 7, False),
        ({"prompt_tokens": "11", "completion_tokens": 7.0}, 11, 7, False),
        ({"input_tokens": 11, "output_tokens": 7}, 11, 7, False),
        ({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 50}, 11, 39, False),  # reasoning in the total
        ({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 1}, 11, 7, False),
        ({"prompt_tokens": 11, "total_tokens": 18}, 11, 7, False),
        ({"completion_tokens": 7, "total_tokens": 18}, 11, 7, False),
        ({"total_tokens": 40}, 30, 10, True),
        ({"total_tokens": 12}, 7, 5, True),
        ({"prompt_tokens": 11}, 11, 5, True),
        ({"completion_tokens": 7}, 30, 7, True),
        *((nothing, 30, 5, True) for nothing in NOTHING),
    ],
)
def test_counts_are_those_of_the_server_or_an_estimate(
    usage: Any, prompt: int, completion: int, estimated: bool
) -> None:
    counts = read_token_counts(usage, QUESTION, TEXT, "", "stop")
    assert (counts.prompt, counts.completion, counts.estimated) == (prompt, completion, estimated)


def test_a_reply_at_the_limit_has_max_tokens_and_a_silent_one_has_none() -> None:
    assert read_token_counts(None, QUESTION, "", "", "length").completion == 1024
    assert read_token_counts({"prompt_tokens": 9, "completion_tokens": 0}, QUESTION, "", "", "stop").estimated is False
    thought = read_token_counts(None, QUESTION, TEXT, "h" * 40, "stop")
    assert (thought.completion, thought.thinking) == (15, 10)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 11, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 9}},
        {"prompt_tokens": 11, "completion_tokens": 7, "prompt_tokens_details": None, "prompt_cache_hit_tokens": 9},
        {"prompt_tokens": 11, "completion_tokens": 7, "cached_tokens": "9"},
    ],
)
def test_cached_tokens_are_read_in_every_form(usage: Any) -> None:
    assert read_token_counts(usage, QUESTION, TEXT, "", "stop").cached == 9


def test_letters_of_other_scripts_are_more_tokens() -> None:
    assert [estimated_tokens(text) for text in ("", "abcd", "abcde", "привет", "技能混合")] == [0, 1, 2, 3, 3]


numbers: st.SearchStrategy[Any] = (
    st.none() | st.integers(-9, 99) | st.floats() | st.text(max_size=3) | st.booleans() | st.just({})
)
names = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details")
usages = st.fixed_dictionaries({}, optional=dict.fromkeys(names, numbers))


@given(usages, st.sampled_from(["", TEXT]), st.sampled_from(["stop", "length"]))
def test_any_usage_gives_counts_that_a_price_can_be_computed_from(usage: Any, text: str, finish_reason: str) -> None:
    counts = read_token_counts(usage, QUESTION, text, "", finish_reason)
    assert counts.prompt > 0
    assert 0 <= counts.cached <= counts.prompt
    assert 0 <= counts.thinking <= counts.completion
    assert counts.completion > 0 or not text or usage.get("total_tokens")


@pytest.mark.parametrize("usage", ["none", "zeros"])
def test_a_budget_is_met_by_a_server_without_counts_and_one_line_says_so(
    scripted_server: Callable[..., Any], caplog: pytest.LogCaptureFixture, usage: str
) -> None:
    server, spent = scripted_server(usage=usage), Usage(budget=Budget(tokens=2000))
    replies = ask_all(server.base_url, [request(f"q{i}") for i in range(40)], spent, max_in_flight=2)
    assert any(isinstance(reply, BudgetMet) for reply in replies)
    answered = [reply for reply in replies if isinstance(reply, Reply)]
    assert 0 < len(answered) < 40
    assert spent.tokens >= 2000
    assert spent.total().estimated_calls == len(answered) == server.stats()["asked"]
    assert [record.message for record in caplog.records if "reports no token counts" in record.message]
    assert len(caplog.records) == 1


def test_a_server_with_counts_is_taken_at_its_word(scripted_server: Callable[..., Any]) -> None:
    usage = Usage()
    [reply] = ask_all(scripted_server().base_url, [request("q" * 80)], usage)
    assert isinstance(reply, Reply)
    assert not reply.estimated
    assert usage.total().estimated_calls == 0


@pytest.mark.parametrize(
    ("message", "reason", "tokens"),
    [
        ({"content": None, "reasoning_content": "h" * 40}, "length", 50),
        ({"content": "", "reasoning": "h" * 40}, "length", None),
        ({"content": "<think>\nLet me see"}, "length", 50),
        ({"content": None}, "length", 50),
        ({}, "max_tokens", None),
        ({"content": None, "reasoning_content": "h" * 40}, "stop", 50),
    ],
)
def test_a_reply_that_only_thought_is_known(message: Any, reason: str, tokens: int | None) -> None:
    asked = Request(QUESTION.messages, Sampling(max_tokens=50), 1)
    usage = tokens and {"prompt_tokens": 9, "completion_tokens": tokens}
    reply = read_completion({"choices": [{"message": message, "finish_reason": reason}], "usage": usage}, asked)
    assert reply.lost_to_thinking
    assert reply.completion_tokens == 50


@pytest.mark.parametrize(
    ("message", "reason"),
    [({"content": "x"}, "length"), ({"content": ""}, "stop"), ({"content": " \n \n"}, "length")],
)
def test_other_replies_did_not_only_think(message: Any, reason: str) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 5}
    body = {"choices": [{"message": message, "finish_reason": reason}], "usage": usage}
    assert not read_completion(body, QUESTION).lost_to_thinking
