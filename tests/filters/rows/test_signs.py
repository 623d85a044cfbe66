"""Every match of a pattern has one of the signs that are searched first, so that the search changes no verdict."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skillmill.data.text.phrases import contains_any
from skillmill.filters import invented_turns
from skillmill.filters.rows import chat_residue, critique_residue, repetition, safety

SIGNS: list[tuple[re.Pattern[str], tuple[str, ...]]] = [
    *chat_residue.SIGNS.items(),
    *invented_turns.SIGNS.items(),
    (repetition.CODE_OR_TABLE, repetition.CODE_OR_TABLE_SIGNS),
    (critique_residue.RESIDUE, critique_residue.SIGNS),
]
LETTERS = st.characters(codec="ascii")  # a long s counts as an s where case is ignored, and nobody writes it


def drawn(pattern: re.Pattern[str]) -> list[str]:
    """Return different texts, each with a match of the pattern."""
    texts: list[str] = []
    source = re.sub(
        r"^\(\?=(?:\\d|\[[^]]+\])\)", "", pattern.pattern
    )  # its first character, from which nothing is drawn

    @given(st.from_regex(re.compile(source, pattern.flags), fullmatch=False, alphabet=LETTERS))
    @settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
    def draw(text: str) -> None:
        if pattern.search(text):
            texts.append(text)

    draw()
    return texts


@pytest.mark.parametrize("number", range(len(SIGNS)))
def test_a_match_has_a_sign(number: int) -> None:
    pattern, signs = SIGNS[number]
    texts = drawn(pattern)
    assert len(texts) > 5
    assert [text for text in texts if not (contains_any(text, signs) or contains_any(text.lower(), signs))] == []


@pytest.mark.parametrize("number", range(len(safety.KINDS)))
def test_a_match_of_personal_data_has_a_sign_of_its_kind(number: int) -> None:
    texts = drawn(safety.KINDS[number].pattern)
    assert len(texts) > 5
    assert [text for text in texts if number not in safety.possible_kinds(text)] == []


def test_data_with_other_digits_has_a_sign() -> None:
    assert safety.LONG_NUMBER.search("١٢٣-٤٥-٦٧٨٩") and not safety.LONG_NUMBER.search("in 1999, or 12.5 %, or 3 + 4")
