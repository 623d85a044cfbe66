"""Texts that stop in the middle."""

import pytest
from example_rows import ANSWER, reasons
from hypothesis import given
from hypothesis import strategies as st

from skillmill.filters.rows.cut_off import BROKEN_END, LONGEST_END, LOOSE_STOP


@pytest.mark.parametrize(
    "response",
    [
        ANSWER + " And after that you could",
        ANSWER + " These are the steps:",
        ANSWER + " If they object, you could ask your .",
        ANSWER + "\n```python\nprint('milk')",
    ],
)
def test_an_answer_that_stops_in_the_middle_is_rejected(response: str) -> None:
    assert "cut_off" in reasons(response)


@pytest.mark.parametrize(
    "end",
    [
        "\n\n1. Talk\n2. Label the shelves\n3. Buy a jar",  # a list may end in a word
        "\n\nBest wishes,\nAnna",
        "\n\n```python\nprint('milk')\n```",
        "\n\nDo you want me to draft a note?",
    ],
)
def test_a_list_a_signature_and_code_may_end_in_any_letter(end: str) -> None:
    assert reasons(ANSWER + end) == set()


def test_the_token_limit_cuts_off_whatever_the_last_character_is() -> None:
    assert reasons(ANSWER, finish_reason="length") == {"cut_off"}


def test_an_instruction_that_breaks_off_is_cut_off() -> None:
    assert reasons(ANSWER, instruction="How can I tell my flatmates about the milk without any .") == {"cut_off"}


@given(st.text("abes, n\n", max_size=14), st.sampled_from([" because.", "an.", " x .", " the?", "\nor!"]))
def test_the_last_characters_are_enough_to_see_a_broken_end(text: str, end: str) -> None:
    ending_text = text + end
    for pattern in (BROKEN_END, LOOSE_STOP):
        assert bool(pattern.search(ending_text[-LONGEST_END:])) == bool(pattern.search(ending_text))
