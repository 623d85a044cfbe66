"""How rare the words of answers are, by their prefixes: `common_stems.json`."""

import json
from functools import cache
from operator import itemgetter
from pathlib import Path

prefix = itemgetter(slice(5))
"""Return the first five letters of a word: "impro" for "improve" and "improving".

The shipped model and `common_stems.json` were made with these prefixes. The stems of `skillmill.data.text.stems` would
change the features, so they have to wait until the model is trained again.
"""

UNCOMMON = 6.5
"""The rarity of a prefix that is not in the table."""


@cache
def rarity_table() -> dict[str, float]:
    """Return the rarity of common prefixes: log(answers / answers that have a word with the prefix).

    The numbers were counted over the 3,215 answers that the shipped model was calibrated on.
    """
    by_rarity = json.loads((Path(__file__).parent / "common_stems.json").read_text())
    return {word: float(rarity) for rarity, words in by_rarity.items() for word in words.split()}


def rarity(word_prefix: str) -> float:
    """Return the rarity of a prefix: about 1 if a third of all answers have it, `UNCOMMON` at most."""
    return rarity_table().get(word_prefix, UNCOMMON)
