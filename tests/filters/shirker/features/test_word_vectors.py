"""Sums of word vectors are equal to the last bit in every process, whatever the order of its sets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.filters.shirker.features.word_vectors import half_similarities, nearest_similarities, word_vectors

WORDS = "bread oven flour yeast water kitchen baker crust morning salt butter table knife village winter".split()


@settings(deadline=None)
@given(st.permutations(WORDS))
def test_sums_do_not_depend_on_the_order_of_words(words: list[str]) -> None:
    vectors, subject = word_vectors(), word_vectors().of(["cake", "village"])
    assert vectors.of(words).sum.tobytes() == vectors.of(WORDS).sum.tobytes()
    assert nearest_similarities(subject, vectors.of(words)) == nearest_similarities(subject, vectors.of(WORDS))


def test_other_orders_of_addition_do_give_other_sums() -> None:
    one_by_one = sum((word_vectors().of([word]).sum for word in WORDS[1:]), word_vectors().of(WORDS[:1]).sum)
    backwards = sum((word_vectors().of([word]).sum for word in WORDS[-2::-1]), word_vectors().of(WORDS[-1:]).sum)
    assert one_by_one.tobytes() != backwards.tobytes()


def test_unknown_words_have_no_effect() -> None:
    vectors = word_vectors()
    assert not vectors.of(["qqqqq"]).sum.any()
    assert nearest_similarities(vectors.of(["qqqqq"]), vectors.of(WORDS)) == (0, 0)
    unknown = vectors.row("qqqqq")
    assert vectors.weights[unknown] == 0 and not vectors.directions[unknown].any()


def test_texts_are_alike_by_the_cosines_of_their_sums() -> None:
    subject, first, second, nothing = (word_vectors().of(words).sum for words in (WORDS[:2], WORDS[2:6], WORDS[6:], []))
    whole, to_first, to_second, between = half_similarities(
        np.array([[subject, first, second], [subject, first, nothing]])
    ).T[0]
    for found, (one, other) in {
        whole: (subject, first + second),
        to_first: (subject, first),
        to_second: (subject, second),
        between: (first, second),
    }.items():
        assert found == pytest.approx(one @ other / np.linalg.norm(one) / np.linalg.norm(other), abs=1e-5)
    assert half_similarities(np.array([[subject, first, nothing]])).T[0].tolist() == [to_first, to_first, 0, 0]


def test_a_word_is_nearest_to_itself() -> None:
    words = word_vectors().of(WORDS)
    assert nearest_similarities(words, words) == pytest.approx((1, 1))
