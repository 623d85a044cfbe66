"""What is counted of a word in an answer: its kinds and form, its letters, its vector. Looked up once for each word."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from skillmill.data.text.tokens import Numbers
from skillmill.filters.shirker.features.word_arrays import Floats
from skillmill.filters.shirker.features.word_forms import FOREIGN_WORDS, is_unknown
from skillmill.filters.shirker.features.word_kinds import WORD_KINDS, kind_table
from skillmill.filters.shirker.features.word_vectors import word_vectors

FORMS = ("numbers", "unknown_words", "foreign_words")
"""The forms of a word, beside its kinds: a whole number, no English word, a frequent word of another language."""
COUNTED = (*WORD_KINDS, *FORMS)
"""The names of the columns of `combination_table`."""


class WordFacts(NamedTuple):
    """The facts of several words.

    Attributes:
        combination: intp (words,); the row of each word in `combination_table`.
        letters: intp (words,); the number of its characters.
        vector: intp (words,); its row in the table of `word_vectors`.
    """

    combination: Numbers
    letters: Numbers
    vector: Numbers


def facts_of(words: Sequence[str]) -> WordFacts:
    """Return the facts of words in lower case."""
    return WordFacts(*np.array(list(map(_facts, words)), np.intp).reshape(-1, 3).T)


@lru_cache(maxsize=2**16)
def _facts(word: str) -> tuple[int, int, int]:
    """Return the facts of one word. They are cached, because six tables are searched for them."""
    kinds = kind_table()[0].get(word, 0)
    forms = 4 * word.isdigit() + 2 * is_unknown(word) + (word in FOREIGN_WORDS)
    return kinds * 2 ** len(FORMS) + forms, len(word), word_vectors().row(word)


@cache
def combination_table() -> Floats:
    """Return for each combination of kinds and forms which of `COUNTED` it has, float64 (combinations, counted)."""
    kinds = kind_table()[1]
    forms = np.array([[number >> 2, number >> 1, number] for number in range(2 ** len(FORMS))]) & 1
    return np.hstack([np.repeat(kinds, len(forms), axis=0), np.tile(forms, (len(kinds), 1))])
