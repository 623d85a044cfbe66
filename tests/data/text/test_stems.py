"""Stems of words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.text.stems import STEMMED_LANGUAGES, stem


@pytest.mark.parametrize(
    "words",
    [
        "improve improves improved improving",
        "plan plans planned planning",
        "analogy analogies",
        "sell sells selling",
        "Improve IMPROVE",
    ],
)
def test_inflections_of_a_word_have_one_stem(words: str) -> None:
    assert len({stem(word) for word in words.split()}) == 1


@pytest.mark.parametrize(("one", "other"), [("planet", "plan"), ("metaphor", "metaphysics"), ("north", "not")])
def test_different_words_have_different_stems(one: str, other: str) -> None:
    assert stem(one) != stem(other)


@given(st.text())
def test_any_text_has_a_stem(text: str) -> None:
    assert stem(text) == stem(text.lower())


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("German", "Verhandlung Verhandlungen verhandlung"),
        ("Russian", "мышление мышления мышлением"),
        ("Spanish", "negociación negociaciones"),
        ("Polish", "decyzja decyzji decyzją"),
    ],
)
def test_stems_of_other_languages(language: str, words: str) -> None:
    assert len({stem(word, language) for word in words.split()}) == 1


@given(st.text(), st.sampled_from(sorted(STEMMED_LANGUAGES)))
def test_any_text_has_a_stem_in_any_language(text: str, language: str) -> None:
    assert stem(text, language) == stem(text.lower(), language)


def test_an_unknown_language_is_an_error() -> None:
    with pytest.raises(KeyError, match="Klingon"):
        stem("word", "Klingon")
