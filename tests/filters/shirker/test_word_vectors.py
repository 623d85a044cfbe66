"""Sums of word vectors: the same to the last bit in every process, whose sets come in orders of their own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.filters.shirker.word_vectors import closeness, likeness, word_vectors

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


def test_unknown_words_say_nothing() -> None:
    vectors = word_vectors()
    assert not vectors.of(["qqqqq"]).sum.any()
    assert closeness(vectors.of(["qqqqq"]), vectors.of(WORDS)) == (0, 0)
    (unknown,) = vectors.places(["qqqqq"])
    assert vectors.weights[unknown] == 0 and not vectors.directions[unknown].any()


def test_texts_are_alike_by_the_cosines_of_their_sums() -> None:
    asked, first, second, nothing = (word_vectors().of(words).sum for words in (WORDS[:2], WORDS[2:6], WORDS[6:], []))
    whole, to_first, to_second, between = likeness(np.array([[asked, first, second], [asked, first, nothing]])).T[0]
    for found, (one, other) in {
        whole: (asked, first + second),
        to_first: (asked, first),
        to_second: (asked, second),
        between: (first, second),
    }.items():
        assert found == pytest.approx(one @ other / np.linalg.norm(one) / np.linalg.norm(other), abs=1e-5)
    assert likeness(np.array([[asked, first, nothing]])).T[0].tolist() == [to_first, to_first, 0, 0]


def test_a_word_is_nearest_to_itself() -> None:
    words = word_vectors().of(WORDS)
    assert closeness(words, words) == (pytest.approx(1), pytest.approx(1))
