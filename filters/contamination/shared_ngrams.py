"""What a row shares with evaluation sets, read back from its signals as words for a person.

The signals store positions, not words, so this needs the row alone: neither the index nor the sets.
"""

from collections.abc import Mapping
from typing import NamedTuple

from skillmill.data.text.ngrams import normal_words
from skillmill.filters.contamination.ngram_index import SEPARATOR

COUNT, POSITION, LENGTH = "evaluation_ngrams", "evaluation_place", "evaluation_words"
"""Names of the filter's signals.

`evaluation_ngrams` is the number of positions in the row at which an n-gram of `report` words is shared with any set.
Each set that shares at least one has three more signals, named with ":" and the set's name. `evaluation_ngrams:NAME` is
the number of n-grams shared with it. `evaluation_place:NAME` is the position of the n-gram that rejects the row, or of
the first shared one if none does. `evaluation_words:NAME` is the length of that n-gram in words.
Positions count the words of the instruction, one separator and the words of the response, from 0.
"""


class SharedNgrams(NamedTuple):
    """What a row shares with one evaluation set."""

    evaluation_set: str
    ngrams: int
    """Number of shared n-grams of `report` words."""
    words: str
    """The normalised words of the n-gram that rejects the row, or of the first shared one."""


def shared_ngrams(instruction: str, response: str, signals: Mapping[str, float]) -> list[SharedNgrams]:
    """Return what a row with these signals shares with each set, in the order of the signals."""
    words = [*normal_words(instruction), SEPARATOR, *normal_words(response)]
    shared = []
    for signal, count in signals.items():
        kind, _, name = signal.partition(":")
        if kind == COUNT and name:
            start, length = int(signals[f"{POSITION}:{name}"]), int(signals[f"{LENGTH}:{name}"])
            shared.append(SharedNgrams(name, int(count), " ".join(words[start : start + length])))
    return shared
