"""How much two texts share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.text.ngrams import jaccard

TEXT = st.lists(st.sampled_from("red green blue old new".split()), max_size=12).map(" ".join)


@given(TEXT, TEXT)
def test_it_is_symmetric_between_none_and_all(one: str, other: str) -> None:
    assert 0 <= jaccard(one, other) == jaccard(other, one) <= 1
    assert jaccard(one, one) == 1


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("one two three four", "One, two: three – four!", 1.0),
        ("one two three four", "one two three five", 1 / 3),
        ("one two three", "four five six", 0.0),
        ("one two", "one two three", 0.5),
        ("one", "", 0.0),
        ("", "", 1.0),
    ],
)
def test_runs_of_three_words_are_counted(one: str, other: str, share: float) -> None:
    assert jaccard(one, other) == pytest.approx(share)
