"""Sums of word vectors: the same to the last bit in every process, whose sets come in orders of their own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.filters.word_vectors import closeness, word_vectors

WORDS = "bread oven flour yeast water kitchen baker crust morning salt butter table knife village winter".split()


@settings(deadline=None)
@given(st.permutations(WORDS))
def test_the_order_of_the_words_does_not_show(words: list[str]) -> None:
    vectors, asked = word_vectors(), word_vectors().of(["cake", "village"])
    assert vectors.of(words).sum.tobytes() == vectors.of(WORDS).sum.tobytes()
    assert closeness(asked, vectors.of(words)) == closeness(asked, vectors.of(WORDS))


def test_the_law_has_something_to_hold() -> None:
    one_by_one = sum((word_vectors().of([word]).sum for word in WORDS[1:]), word_vectors().of(WORDS[:1]).sum)
    backwards = sum((word_vectors().of([word]).sum for word in WORDS[-2::-1]), word_vectors().of(WORDS[-1:]).sum)
    assert one_by_one.tobytes() != backwards.tobytes()


def test_halves_are_summed_apart() -> None:
    found, (first_sum, second_sum) = word_vectors().of_halves(WORDS[:4], ["qqqqq", *WORDS[4:6]], WORDS[6:])
    for halves_sum, words in ((found.sum, WORDS), (first_sum, WORDS[:6]), (second_sum, WORDS[4:])):
        assert halves_sum == pytest.approx(word_vectors().of(words).sum, abs=1e-5)


def test_unknown_words_say_nothing() -> None:
    vectors = word_vectors()
    assert not vectors.of(["qqqqq"]).sum.any()
    assert closeness(vectors.of(["qqqqq"]), vectors.of(WORDS)) == (0, 0)
    found, halves = vectors.of_halves(["qqqqq"], [], [])
    assert not np.any(found.weights) and not np.any(halves)
    assert closeness(vectors.of(WORDS), found) == (0, 0)


def test_a_word_is_nearest_to_itself() -> None:
    words = word_vectors().of(WORDS)
    assert closeness(words, words) == (pytest.approx(1), pytest.approx(1))
