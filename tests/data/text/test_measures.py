"""What counts as a word, a sentence, a repetition."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.text.measures import (
    SENTENCE_BREAK,
    compression_ratio,
    count_sentences,
    covered_share,
    phrase_pattern,
    repeated_share,
    words,
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \n", 0),
        ("no end mark", 1),
        ("One. Two! Three?", 3),
        ("Dr. Smith met Mrs. Jones, i.e. his aunt, e.g. on Sunday.", 1),
        ('"Who goes there?" She laughed.', 2),
        ("One; two: three - four.", 1),  # semicolons, colons and dashes end nothing
        ("It was cold. 12 people came. they left.", 3),  # a digit or a lower-case letter begins a sentence too
        ("It costs 3.50 euros.", 1),
        ("Wait... what?", 2),
        ("A title\n\nA sentence.", 2),
        ("1. Wash it.\n2. Dry it.", 2),
        ("?!", 1),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert count_sentences(text) == count


@given(st.text())
def test_a_text_with_any_character_has_a_sentence(text: str) -> None:
    assert (count_sentences(text) >= 1) == bool(text.strip())


@given(st.lists(st.sampled_from(["The dog barks.", "It rains!", "Why not?"]), min_size=1, max_size=20))
def test_sentences_add_up(said: list[str]) -> None:
    assert count_sentences(" ".join(said)) == len(said)


def test_words_keep_apostrophes_and_hyphens_inside() -> None:
    assert words("Don’t say *well-known* -- it's_over!") == ("don't", "say", "well-known", "it's", "over")


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("red herring", "It was a Red Herring.", True),
        ("red herring", "Two red herrings swam by.", True),
        ("red_herring", "a red-herring", True),
        ("metaphor", "a metaphorical sense", False),
        ("accident", "accidental", False),
        ("analogy", "two analogies", True),
        ("c++", "she writes C", False),
        ("…", "anything", False),
    ],
)
def test_a_name_is_found_as_a_whole_phrase(name: str, text: str, named: bool) -> None:
    pattern = phrase_pattern([name])
    assert (pattern is not None and pattern.search(text) is not None) == named


def test_shares() -> None:
    assert repeated_share("aab") == pytest.approx(1 / 3)
    assert repeated_share([]) == 0
    assert covered_share("a b c d".split(), "x a b c".split(), 3) == 0.75
    assert covered_share([], ["a"], 3) == 0


@given(st.text(alphabet=st.characters(codec=None)))
def test_compression_takes_any_text(text: str) -> None:
    assert compression_ratio(text) >= 0


PLAIN_BREAK = re.compile(
    r"""(?<![.!?…])[.!?…]+[)\]"'”’*_]{0,4}\s+(?=[(\["'“‘*_]{0,4}[^\W_])"""
    r"""|(?<![。！？])[。！？]+[」』”]{0,4}(?=\S)"""
    r"""|\n[ \t]*\n"""
)


@given(st.text("aB1.!?…。！？」\n \t\"'*(", max_size=30))
def test_sentences_break_where_the_plain_pattern_breaks_them(text: str) -> None:
    assert SENTENCE_BREAK.split(text) == PLAIN_BREAK.split(text)
