"""Words, tokens and n-gram words come from one definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.text.ngrams import normal_words
from skillmill.data.text.tokens import tokens
from skillmill.data.text.words import count_words, words

TEXTS = st.text() | st.text("aB1ß'’- _.,猫", max_size=30)


def test_words_keep_apostrophes_and_hyphens_inside() -> None:
    assert words("Don’t say *well-known* -- it's_over!") == ("don't", "say", "well-known", "it's", "over")


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("well-known don't", 2), ("猫が好き", 2), ("a 猫", 2), ("naïve café", 2)]
)
def test_letters_of_scripts_without_spaces_count_by_twos(text: str, count: int) -> None:
    assert count_words(text) == count


@given(st.text("aB1'- _.,!", max_size=30))
def test_tokens_are_the_parts_of_words(text: str) -> None:
    """Tokens split words at hyphens and between letters and digits, and lose some apostrophes; no character moves."""
    assert "".join(tokens(text)).replace("'", "") == "".join(words(text)).replace("'", "").replace("-", "")


@given(st.text("aB1'- _.,!", max_size=30))
def test_ngram_words_are_words_split_at_hyphens(text: str) -> None:
    plain = text.replace("'", "")
    assert normal_words(text) == [part for word in words(plain) for part in word.split("-")]


@given(TEXTS)
def test_any_text_has_words(text: str) -> None:
    assert count_words(text) >= 0 and all(words(text)) and all(tokens(text)) and all(normal_words(text))
