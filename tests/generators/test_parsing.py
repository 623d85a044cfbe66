"""The parsers of replies: well-formed replies, and any text."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.generators.parsing import answer_and_explanation, instruction_parts, string_field, unquoted
from skillmill.teachers.chat_tokens import without_outer_tokens
from skillmill.teachers.structured import clean

ANY_TEXT = st.one_of(
    st.text(alphabet=st.characters()),  # lone surrogates included
    st.lists(
        st.sampled_from(
            [
                "Answer:",
                "Explanation:",
                "**Answer:**",
                '{"instruction": ',
                '"',
                "}",
                "null",
                "\0",
                "\ud800",
                "a b. ",
                "\n",
            ]
        ),
        max_size=40,
    ).map("".join),
)


@pytest.mark.parametrize(
    ("reply", "answer", "explanation"),
    [
        ("Answer: The sea sleeps.\nExplanation: A metaphor.", "The sea sleeps.", "A metaphor."),
        ("**Answer:** The sea sleeps.\n\n**Explanation:** A metaphor.", "The sea sleeps.", "A metaphor."),
        ('Answer: "The sea sleeps."', "The sea sleeps.", None),
        ("Sure!\nAnswer: One.\nExplanation: x\nAnswer: Two.\nExplanation: y", "Two.", "y"),
        ("Answer: The sea sleeps. Explanation: A metaphor.", "The sea sleeps.", "A metaphor."),
        ("Improved answer: The sea\nsleeps.", "The sea\nsleeps.", None),
        ("Answer: He had no explanation: the sea slept.", "He had no explanation: the sea slept.", None),
        ("Answer:\nExplanation: nothing", None, "nothing"),
        ("The sea sleeps.", None, None),
        ("", None, None),
    ],
)
def test_answer_and_explanation(reply: str, answer: str | None, explanation: str | None) -> None:
    assert answer_and_explanation(reply) == (answer, explanation)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"instruction": " How? "}', "How?"),
        ('```json\n{"instruction": "How?"}\n```', "How?"),
        ('{"instruction": ""}', None),
        ('{"instruction": null}', None),
        ('{"instruction": ["How?"]}', None),
        ('{"instruction": "How', None),
        ('{"other": "How?"}', None),
        ("How?", None),
    ],
)
def test_string_field(reply: str, value: str | None) -> None:
    assert string_field(reply, "instruction") == value


def test_quotes_around_the_whole_go_and_others_stay() -> None:
    assert unquoted('"The sea sleeps."') == "The sea sleeps."
    assert unquoted('"No," he said, "not today."') == '"No," he said, "not today."'


@given(ANY_TEXT)
def test_parsers_take_any_text(text: str) -> None:
    answer_and_explanation(text)
    string_field(text, "instruction")
    unquoted(text)
    clean(text).encode("utf-8")


@given(st.text(alphabet=st.characters(codec="utf-8")).filter(lambda text: text.strip()))
def test_a_field_comes_back_as_it_was_written_but_for_control_tokens_and_what_no_store_takes(text: str) -> None:
    kept = without_outer_tokens(clean(text)).strip()
    assert string_field(orjson.dumps({"instruction": text}).decode(), "instruction") == (kept or None)


@pytest.mark.parametrize("piece", ["Answer: ", "Explanation:", '{"instruction": {', "* ", "\n", "a", '"'])
@pytest.mark.timeout(20)
def test_long_replies_take_no_time_to_speak_of(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    answer_and_explanation(text)
    string_field(text, "instruction")
    unquoted(text)


def test_slips_of_a_reply_that_reached_the_limit_are_not_repaired() -> None:
    reply = '{"answer": "x", "explanation": "y",}'
    assert answer_and_explanation(reply) == ("x", "y")
    assert answer_and_explanation(reply, whole=False) == (None, None)
    assert instruction_parts('{"instruction": "x",}', ["instruction"]) == ["x"]
    assert instruction_parts('{"instruction": "x",}', ["instruction"], whole=False) == []
