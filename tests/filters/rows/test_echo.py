"""Answers that copy the instruction, and blanks to fill in."""

import pytest
from example_rows import ANSWER, QUESTION, reasons


@pytest.mark.parametrize(
    "response",
    [
        QUESTION + " " + QUESTION.replace("milk", "milk"),
        "Dear flatmates, my name is [insert name] and I miss my milk. " + ANSWER,
    ],
)
def test_a_copied_instruction_or_a_blank_is_rejected(response: str) -> None:
    assert "echo" in reasons(response)


def test_blanks_in_an_instruction_are_an_echo_of_a_form() -> None:
    assert "echo" in reasons(ANSWER, instruction="How can I use [your topic] as a tool?")


def test_a_quoted_note_is_no_echo() -> None:
    assert reasons("You could write this to them:\n\n> Dear all, let us share the milk.\n\n" + ANSWER) == set()
