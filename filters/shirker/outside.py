"""Rows outside of what the shirker model was trained on: another language, a kind of task without effort, a length."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skillmill.filters.shirker.features.all_features import FEATURES
from skillmill.filters.shirker.features.word_arrays import Floats
from skillmill.filters.shirker.features.word_forms import FOREIGN_WORDS

LANGUAGE, KIND, LENGTH = "language", "kind of task", "length"
"""Why a row is outside: instruction or answer is not in English; a closed task with a short answer of the requested
form, whose effort the form does not show; a text that is much longer than those of the training file."""
MOST_WORDS, MOST_ASKED_WORDS, FEWEST_ASKED_WORDS = 1500, 1500, 2
"""The training file has fewer than 0.5 % of texts beyond these lengths."""
MIN_FOREIGN, MIN_OTHER_LETTERS = 0.08, 0.3
"""The share of frequent words of another language, and that of letters that are not Latin or of unknown words, from
which a text is not English."""

_COLUMNS = np.array(
    [
        FEATURES.index(name)
        for name in "brief_as_asked foreign_words function_words log_words asked_words not_ascii unknown_words".split()
    ]
)


def outside(instructions: Sequence[str], responses: Sequence[str], features: Floats) -> list[list[str]]:
    """Return for each row why it is outside of what the model was trained on; an empty list if it is inside.

    `features` is (rows, FEATURES).
    """
    brief, foreign, function, log_words, log_asked, not_ascii, unknown = features.T[_COLUMNS]
    of_words = (foreign > MIN_FOREIGN) & (foreign > function) & (unknown > MIN_OTHER_LETTERS)
    words, asked = np.expm1(log_words), np.expm1(log_asked)
    long = (words > MOST_WORDS) | (asked > MOST_ASKED_WORDS) | (asked < FEWEST_ASKED_WORDS)
    other_letters = _have_other_letters(responses, not_ascii == 1) | _have_other_letters(
        instructions, np.array([not text.isascii() for text in instructions], np.bool_)
    )
    of_instruction = np.array([_is_foreign(text) for text in instructions], np.bool_)
    names = (LANGUAGE, KIND, LENGTH)
    rows = zip((of_words | other_letters | of_instruction).tolist(), (brief == 1).tolist(), long.tolist(), strict=True)
    return [[name for name, applies in zip(names, row, strict=True) if applies] for row in rows]


def _have_other_letters(texts: Sequence[str], candidates: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of the candidates have more than `MIN_OTHER_LETTERS` letters that are not Latin, bool (texts,)."""
    found = np.zeros(len(texts), np.bool_)
    for at in np.flatnonzero(candidates).tolist():
        letters = [letter for letter in texts[at][:500] if letter.isalpha()]
        found[at] = sum(letter > "\u024f" for letter in letters) > MIN_OTHER_LETTERS * max(len(letters), 1)
    return found


def _is_foreign(instruction: str) -> bool:
    """Return whether a fifth of the first words of an instruction are frequent words of another language."""
    words = instruction[:200].lower().split()
    return len(words) > 2 and sum(word in FOREIGN_WORDS for word in words) > 0.2 * len(words)
