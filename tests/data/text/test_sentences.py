"""Where a sentence ends."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.text.sentences import SENTENCE_BREAK, count_sentences


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
def test_sentences_add_up(parts: list[str]) -> None:
    assert count_sentences(" ".join(parts)) == len(parts)


PLAIN_BREAK = re.compile(
    r"""(?<![.!?…])[.!?…]+[)\]"'”’*_]{0,4}\s+(?=[(\["'“‘*_]{0,4}[^\W_])"""
    r"""|(?<![。！？])[。！？]+[」』”]{0,4}(?=\S)"""
    r"""|\n[ \t]*\n"""
)


@given(st.text("aB1.!?…。！？」\n \t\"'*(", max_size=30))
def test_sentences_break_where_the_plain_pattern_breaks_them(text: str) -> None:
    assert SENTENCE_BREAK.split(text) == PLAIN_BREAK.split(text)
