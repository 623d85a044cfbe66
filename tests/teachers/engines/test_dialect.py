"""Dialects are learned from error messages, and replies are read in the shapes of many servers."""

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.teachers.base import Request, Sampling, TransientError
from skillmill.teachers.engines.chat_api.address import parse_address, shown
from skillmill.teachers.engines.chat_api.completion import normal_finish_reason, read_completion
from skillmill.teachers.engines.chat_api.dialect import (
    Dialect,
    Structure,
    request_body,
    smaller_dialect,
    without_string_constraints,
)
from skillmill.teachers.engines.chat_api.error_message import ErrorMessage, read_error_message
from skillmill.teachers.structured import object_schema, parse_object

SCHEMA = object_schema(pattern={"type": "string", "pattern": "^a", "maxLength": 9}, tags={"type": "array", "items": {}})
QUESTION = Request([{"role": "user", "content": "q"}], Sampling(), 1, SCHEMA)
LOOSE, OBJECT, WORDS = (Dialect(structure) for structure in list(Structure)[1:])


def dialects() -> st.SearchStrategy[Dialect]:
    names = st.frozensets(st.sampled_from(["seed", "top_p", "temperature", "stop"]))
    return st.builds(Dialect, st.sampled_from(Structure), names, st.booleans(), st.booleans())


@pytest.mark.parametrize(
    ("message", "smaller"),
    [
        ("Unsupported parameter: 'seed' is not supported with this model.", Dialect(dropped=frozenset({"seed"}))),
        ("body.top_p: Extra inputs are not permitted (extra_forbidden)", Dialect(dropped=frozenset({"top_p"}))),
        ("`temperature` and `top_p` cannot both be specified", Dialect(dropped=frozenset({"top_p"}))),
        ("'temperature' does not support 0.8 with this model. Only the default (1) value is supported.",
         Dialect(dropped=frozenset({"temperature"}))),
        ("'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
         Dialect(completion_tokens=True)),
        ("Invalid schema for response_format 'answer': 'pattern' is not permitted", LOOSE),
        ("failed to parse grammar", LOOSE),
        ("This response_format type is unavailable now", OBJECT),
        ("'response_format.type' must be 'text'", OBJECT),
        ("temperature must be at most 2", None),
        ("this prompt is not welcome", None),
        ("Unknown model", None),
    ],
)  # fmt: skip
def test_the_words_of_a_refusal_lead_to_a_smaller_dialect(message: str, smaller: Dialect | None) -> None:
    assert smaller_dialect(Dialect(), QUESTION, {}, ErrorMessage(message)) == smaller


@given(dialects(), st.text() | st.sampled_from(["unsupported: seed top_p temperature", "grammar", "response_format"]))
def test_learning_always_gives_something_up_so_asking_again_ends(dialect: Dialect, words: str) -> None:
    smaller = smaller_dialect(dialect, QUESTION, {}, ErrorMessage(words))
    assert smaller is None or (smaller != dialect and smaller | dialect == smaller)


@given(dialects(), dialects(), dialects())
def test_what_requests_learn_side_by_side_adds_up_in_any_order(a: Dialect, b: Dialect, c: Dialect) -> None:
    assert len({x | y | z for x, y, z in itertools.permutations((a, b, c))}) == 1
    assert a | a == a
    assert (a | b).missing_from(a | b) == ""


def test_each_structure_asks_in_its_own_way() -> None:
    bodies = [request_body("m", QUESTION, {}, Dialect(structure)) for structure in Structure]
    forms = [body.get("response_format", {}) for body in bodies]
    assert [form.get("type") for form in forms] == ["json_schema", "json_schema", "json_object", None]
    assert [form["json_schema"]["schema"] for form in forms[:2]] == [SCHEMA, without_string_constraints(SCHEMA)]
    for body in bodies[2:]:
        assert orjson.loads(body["messages"][0]["content"].rsplit("\n", 1)[1]) == SCHEMA
    assert QUESTION.messages == [{"role": "user", "content": "q"}]


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    loose = without_string_constraints({"anyOf": [SCHEMA]})["anyOf"][0]
    assert loose["properties"]["pattern"] == {"type": "string"}
    assert loose["required"] == ["pattern", "tags"]


def test_fields_of_the_users_own_win_and_are_never_dropped() -> None:
    extra = {"seed": 7, "response_format": {"type": "text"}}
    assert request_body("m", QUESTION, extra, Dialect()).items() >= extra.items()
    assert smaller_dialect(Dialect(), QUESTION, extra, ErrorMessage("unsupported: response_format")) is None


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": {"message": "no", "code": "bad", "param": "seed"}}, "no (bad)"),
        ({"object": "error", "message": "no", "code": 400}, "no"),
        ({"error": "no"}, "no"),
        ({"detail": "no"}, "no"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "no", "type": "t", "input": "secret"}]}, "body.seed: no (t)"),
        ({"error": {"message": "Provider error", "metadata": {"raw": "no"}}}, "Provider error no"),
        (["odd"], "['odd']"),
        ({"error": None}, "None"),
    ],
)
def test_the_words_are_found_in_every_shape(body: Any, text: str) -> None:
    assert read_error_message(orjson.dumps(body)).text == text


@given(st.binary())
def test_any_error_body_has_words(content: bytes) -> None:
    assert isinstance(read_error_message(content).text, str)


def test_parts_reasoning_and_refusals_of_other_servers_are_read() -> None:
    def read(**message: Any) -> tuple[str, str]:
        reply = read_completion({"choices": [{"message": message, "finish_reason": "eos_token"}]}, QUESTION)
        return reply.text, reply.thinking

    assert read(content="a", reasoning="b") == ("a", "b")
    assert read(content=None, refusal="I cannot.") == ("I cannot.", "")
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "b"}]}
    assert read(content=[thought, {"type": "text", "text": "a"}]) == ("a", "b")


def test_finish_reasons_are_stop_or_length() -> None:
    reasons = [None, "stop", "eos_token", "end_turn", "length", "max_tokens", "content_filter"]
    assert [normal_finish_reason(each) for each in reasons] == [*["stop"] * 4, "length", "length", "content_filter"]
    with pytest.raises(TransientError, match="abort"):
        normal_finish_reason("abort")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["choices", "message", "content", "usage", "type", "text"]), inner)
    ),
)


@given(json_values)
def test_whatever_json_comes_is_a_reply_or_a_temporary_failure(value: Any) -> None:
    try:
        assert isinstance(read_completion(value, QUESTION).text, str)
    except TransientError as failure:
        assert failure.detail


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        'So: {"a": 1}.',
        '```json\n{"a": 1}\n```',
        'Not {this} but {"a": 1} {really}',
        '{"b": 2} then {"a": 1}',
    ],
)
def test_an_object_is_found_in_whatever_is_around_it(text: str) -> None:
    assert parse_object(text, ("a",)) == {"a": 1}


def test_half_an_object_is_none() -> None:
    assert parse_object('{"a": "cut of', ("a",)) is None
    assert parse_object('{"b": {"c": 1}}', ("a",)) is None


def test_an_address_keeps_its_query_and_hides_its_secrets() -> None:
    address = parse_address("https://me:pw@host:8443/deep/v1/?api-version=3&key=s")
    assert address.endpoint("chat/completions") == "https://host:8443/deep/v1/chat/completions?api-version=3&key=s"
    assert address.at_root("metrics") == "https://host:8443/deep/metrics"
    assert str(address) == "https://host:8443/deep/v1"
    assert shown("https://me:pw@host/v1?api-version=3&key=s") == "https://host/v1?api-version=3&key=[hidden]"


@given(st.text(st.characters(categories=["L", "N"]), min_size=8), st.sampled_from(["http://", "", "https:", "x://["]))
def test_no_password_is_ever_shown(password: str, scheme: str) -> None:
    assert password not in shown(f"{scheme}me:{password}@host/v1?key={password}")
