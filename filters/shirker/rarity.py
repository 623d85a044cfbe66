"""How rare words are, by their stems: `common_stems.json`."""

import json
from functools import cache
from operator import itemgetter
from pathlib import Path

stem = itemgetter(slice(5))
"""The first five letters of a word: enough to find "improving" in "improve"."""


@cache
def rarity_table() -> dict[str, float]:
    """log(answers / answers that have the stem), counted over the 3,215 answers of docs/filters.md's calibration."""
    by_rarity = json.loads((Path(__file__).parent / "common_stems.json").read_text())
    return {word: float(rarity) for rarity, words in by_rarity.items() for word in words.split()}


UNCOMMON = 6.5
"""The rarity of a stem that is not in the list."""


def rarity(stemmed: str) -> float:
    """How little a stem tells by chance: about 1 for one that a third of all answers have, `UNCOMMON` at most."""
    return rarity_table().get(stemmed, UNCOMMON)
