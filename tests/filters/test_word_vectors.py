"""Sums of word vectors: the same to the last bit in every process, whose sets come in orders of their own."""

from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.filters.word_vectors import word_vectors

WORDS = "bread oven flour yeast water kitchen baker crust morning salt butter table knife village winter".split()


@settings(deadline=None)
@given(st.permutations(WORDS))
def test_the_order_of_the_words_does_not_show(words: list[str]) -> None:
    vectors = word_vectors()
    assert vectors.sum(words).tobytes() == vectors.sum(WORDS).tobytes()


def test_the_law_has_something_to_hold() -> None:
    one_by_one = sum((word_vectors().sum([word]) for word in WORDS[1:]), word_vectors().sum(WORDS[:1]))
    backwards = sum((word_vectors().sum([word]) for word in WORDS[-2::-1]), word_vectors().sum(WORDS[-1:]))
    assert one_by_one.tobytes() != backwards.tobytes()


def test_unknown_words_say_nothing() -> None:
    assert not word_vectors().sum(["qqqqq"]).any()
