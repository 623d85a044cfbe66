"""Repetition within a text and between two texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.text.repetition import compression_ratio, covered_share, repeated_share


def test_shares() -> None:
    assert repeated_share("aab") == pytest.approx(1 / 3)
    assert repeated_share([]) == 0
    assert covered_share("a b c d".split(), "x a b c".split(), 3) == 0.75
    assert covered_share([], ["a"], 3) == 0


@given(st.text(alphabet=st.characters(codec=None)))
def test_compression_takes_any_text(text: str) -> None:
    assert compression_ratio(text) >= 0
