"""Answers that several instructions share are counted, across batches too."""

from skillmill.filters.shirker.repeated import RepeatedAnswers

HOPE = "I hope that this answer helps you with everything that you want to know about it."


def test_equal_and_similar_answers_to_other_instructions_are_counted() -> None:
    answers = RepeatedAnswers()
    assert answers.counts(["a?", "b?", "b?", "c?"], ["Yes.", "yes.", "Yes.", "No."]) == [0, 1, 1, 0]
    assert answers.counts(["d?", "e?", "f?", "g?"], [HOPE, HOPE.replace(" it.", " that."), "Yes.", ""]) == [0, 1, 2, 0]
    assert answers.counts(["h?"], ["Quite another text about the ways in which glaciers form and move."]) == [0]


def test_many_answers_to_one_instruction_are_no_repeats() -> None:
    assert RepeatedAnswers().counts(["a?"] * 3, [HOPE] * 3) == [0, 0, 0]
