"""Answers that repeat themselves."""

import pytest
from example_rows import ADVICE_CELL, ANSWER, QUESTION, reasons

from skillmill.data.records import Sample
from skillmill.filters.rows.repetition import Repetition


@pytest.mark.parametrize(
    "response",
    [
        "You should talk to them about the milk. " * 8,
        " ".join(["the milk is in the fridge and"] * 10) + ".",
    ],
)
def test_a_loop_is_rejected(response: str) -> None:
    assert "repetition" in reasons(response)


def test_tables_and_code_may_repeat() -> None:
    assert reasons("| shelf | owner |\n|---|---|\n| 1 | Anna |\n| 2 | Anna |\n| 3 | Anna |\n\n" + ANSWER) == set()


def test_a_short_text_may_repeat_a_figure_of_speech_and_no_more() -> None:
    loop = "You can only see one skill at a time, and you can only see one skill at a time, and so on."
    figure = "We shall fight on the beaches, we shall fight on the landing grounds, we shall fight in the fields."
    assert "repetition" in Repetition().check(Sample("Q?", loop), ADVICE_CELL).reasons
    assert Repetition().check(Sample("Q?", figure), ADVICE_CELL).reasons == ()


def test_thresholds_are_options() -> None:
    loop = Sample(QUESTION, "You should talk. " * 12)
    patient = Repetition(max_repeated_sentences=1, max_repeated_4grams=1, max_compression=99, max_repeated_openings=1)
    assert Repetition().check(loop, ADVICE_CELL).reasons == (Repetition.reason,)
    assert patient.check(loop, ADVICE_CELL).reasons == ()
