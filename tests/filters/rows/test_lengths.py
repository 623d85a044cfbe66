"""Answers that have no text, too few or too many words, or too many sentences."""

from dataclasses import replace

import pytest
from example_rows import ADVICE_CELL, ANSWER, FALLACY_CELL, TEXT_CELL, reasons

from skillmill.data.text.lengths import sentence_limit


def test_an_answer_without_a_letter_is_empty() -> None:
    assert "empty" in reasons(" …\n")
    assert "empty" in reasons(ANSWER, instruction="?!")


def test_a_short_answer_is_rejected() -> None:
    assert "too_short" in reasons("Talk to them.")


def test_words_wanted_come_from_the_query_type_or_the_number_of_skills() -> None:
    twelve_words = "one two three four five six seven eight nine ten eleven twelve."
    assert "too_short" in reasons(twelve_words)
    assert "too_short" not in reasons(twelve_words, TEXT_CELL)
    assert "too_short" in reasons("The sea sleeps.", TEXT_CELL)


@pytest.mark.parametrize(
    ("length", "words", "given"),
    [
        ("short", 60, set()),
        ("short", 150, {"too_long"}),
        ("medium", 61, set()),
        ("medium", 55, {"too_short"}),
        ("medium", 260, {"too_long"}),
        ("long", 60, {"too_short"}),
        ("long", 300, set()),
        (None, 19, {"too_short"}),
        (None, 900, set()),
    ],
)
def test_an_answer_keeps_to_the_length_that_its_cell_aims_at(length: str | None, words: int, given: set[str]) -> None:
    answer = " ".join(f"word{i}" for i in range(words)) + "."
    cell = replace(ADVICE_CELL, length=length)
    assert reasons(answer, cell, "How do I get there?") & {"too_short", "too_long"} == given


@pytest.mark.parametrize(("k", "sentences", "rejected"), [(2, 1, False), (2, 2, True), (3, 2, False), (3, 3, True)])
def test_the_sentence_limit_is_k_minus_one(k: int, sentences: int, rejected: bool) -> None:
    cell = TEXT_CELL if k == 2 else FALLACY_CELL
    written = ["Her rook was a wall of stone.", "His queen had other plans today.", "Nobody saw the pawn."]
    text = " ".join(written[:sentences])
    assert ("too_many_sentences" in reasons(text, cell)) == rejected


def test_answers_of_instruct_skill_mix_have_no_sentence_limit() -> None:
    assert "too_many_sentences" not in reasons(ANSWER + " It works. It did for me.")


@pytest.mark.parametrize(("length", "limit"), [(None, 2), ("short", 2), ("medium", 6), ("long", 12)])
def test_a_skill_mix_text_may_be_as_long_as_its_cell_aims_at(length: str | None, limit: int) -> None:
    cell = replace(FALLACY_CELL, length=length)
    assert sentence_limit(3, length) == limit
    for sentences, given in ((limit, set()), (limit + 1, {"too_many_sentences"})):
        text = " ".join(f"The {i} knights of the old village went out to meet the king." for i in range(sentences))
        assert reasons(text, cell, "Write a text about chess.") & {"too_many_sentences", "too_short"} == given
