"""Kinds of words that are counted in an answer: function words, hedges, connectives, pronouns."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from skillmill.filters.shirker.features.instruction import FUNCTION_WORDS

WORD_KINDS = {
    "function_words": FUNCTION_WORDS,
    "hedges": frozenset(
        "may might could perhaps possibly generally usually often typically probably somewhat various several many "
        "some different certain things something stuff etc overall basically depends likely sometimes".split()
    ),
    "connectives": frozenset(
        "however therefore because although though while whereas since thus hence moreover furthermore additionally "
        "finally first second third then next also instead including example such meanwhile especially particularly "
        "due despite once unless rather consequently ultimately".split()
    ),
    "first_person": frozenset("i me my mine we our us i'm i'd i've".split()),
    "second_person": frozenset("you your yours yourself you'll you're".split()),
    "the": frozenset({"the"}),
    "be": frozenset("is are was were be been".split()),
    "and": frozenset({"and"}),
    "that": frozenset({"that", "which"}),
    "it": frozenset("it this they there".split()),
    "to": frozenset({"to"}),
    "of": frozenset({"of"}),
    "sums_up": frozenset("remember overall conclusion ultimately additionally".split()),
    "leans_back": frozenset(
        "it this that these those they he she him her them its their but and or so also another finally however "
        "therefore then thus additionally furthermore moreover lastly secondly second third next such because "
        "overall".split()
    ),
}
"""The words of each kind by the name of the feature; a word may be of several kinds. Words of "leans_back" refer to an
earlier sentence, so a complete answer seldom begins with one."""
FUNCTION_COLUMN, LEANING_COLUMN = (list(WORD_KINDS).index(name) for name in ("function_words", "leans_back"))
"""The columns of these kinds in the table of `kind_table`."""


@cache
def kind_table() -> tuple[dict[str, int], NDArray[np.float64]]:
    """Return for each word of `WORD_KINDS` the number of its combination of kinds, and the table of combinations.

    The table is float64 (combinations, kinds): 1 if the combination has the kind, otherwise 0. Combination 0 has no
    kind; it stands for all words that are not in the dictionary.
    """
    kinds_of_word = {
        word: tuple(word in words for words in WORD_KINDS.values()) for words in WORD_KINDS.values() for word in words
    }
    combinations = [(False,) * len(WORD_KINDS), *sorted(set(kinds_of_word.values()))]
    numbers = {word: combinations.index(kinds) for word, kinds in kinds_of_word.items()}
    return numbers, np.array(combinations, np.float64)
