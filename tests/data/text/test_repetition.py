"""Repetition within a text and between two texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.text.repetition import compression_ratio, covered_share, ngrams, repeated_share, spaced_ngrams


def test_shares() -> None:
    assert repeated_share("aab") == pytest.approx(1 / 3)
    assert repeated_share([]) == 0
    assert covered_share("a b c d".split(), "x a b c".split(), 3) == 0.75
    assert covered_share([], ["a"], 3) == 0


@given(st.text(alphabet=st.characters(codec=None)))
def test_compression_takes_any_text(text: str) -> None:
    assert compression_ratio(text) >= 0


@given(st.lists(st.sampled_from("ab"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 9))
def test_the_share_of_tokens_that_are_in_a_shared_ngram(tokens: list[str], source: list[str], n: int) -> None:
    known = set(ngrams(source, n))
    covered = {place + i for place, gram in enumerate(ngrams(tokens, n)) if gram in known for i in range(n)}
    assert covered_share(tokens, source, n) == (len(covered) / len(tokens) if tokens else 0)


@given(st.lists(st.integers(0, 9).map(str), max_size=30), st.integers(1, 9))
def test_every_ngram_contains_a_spaced_one(tokens: list[str], n: int) -> None:
    spaced, half = set(spaced_ngrams(tokens, n)), (n + 1) // 2
    assert all(spaced.intersection(ngrams(gram, half)) for gram in ngrams(tokens, n))
