"""Words of a text: the one definition of a word, from which tokens and n-gram words are derived.

A word is a sequence of letters and digits, with single apostrophes and hyphens inside: "don't" and "well-known" are
one word each. `skillmill.data.text.tokens` splits words further (hyphens, digits from letters), and so does
`skillmill.data.text.ngrams` (hyphens, apostrophes dropped); both build their patterns from the parts defined here.
"""

from functools import lru_cache
from math import ceil

from skillmill.data.text.lazy_patterns import lazy_pattern

LETTER = r"[^\W\d_]"
DIGIT = r"\d"
LETTER_OR_DIGIT = r"[^\W_]"
"""The characters of `LETTER` and `DIGIT` together."""
WORD_PART = rf"{LETTER_OR_DIGIT}+"
WORD = lazy_pattern(rf"{LETTER_OR_DIGIT}++(?:['’-]{LETTER_OR_DIGIT}++)*+")

UNSPACED = lazy_pattern(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
"""A letter of a script without spaces between words: Thai, Japanese, Chinese. The shipped shirker model, n-grams and
word counts were measured with these scripts; `UNSPACED_RANGES` has all of them."""
UNSPACED_LETTERS = 2
"""Letters of such a script that count as one word. A translation into it then has about as many words as the text."""
UNSPACED_RANGES = (
    r"\u0e00-\u0fff\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f\u1780-\u17ff"
    r"\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    r"\U00020000-\U0003ffff"
)
"""All scripts without spaces between words, for a character class: Thai, Lao, Tibetan, Burmese, Khmer, Japanese and
Chinese."""
UNSPACED_NAME_LETTER = lazy_pattern(rf"[{UNSPACED_RANGES}]")
"""A character of a script in `UNSPACED_RANGES`; names in such a script are measured in letters."""
INVISIBLE = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
"""A table for `str.translate` that drops soft hyphens, zero-width spaces and joiners, and byte order marks."""


@lru_cache(maxsize=32)
def words(text: str) -> tuple[str, ...]:
    """Return the words in lower case, without punctuation; typographic apostrophes become "'".

    The last results are cached, because several filters need the words of the same two texts.
    """
    return tuple(word_list(text))


def word_list(text: str) -> list[str]:
    """Return the words as `words` does, without its cache: for parts of a text, which are needed once."""
    return WORD.findall(text.lower().replace("’", "'"))


def count_words(text: str) -> int:
    """Return the number of words; in scripts without spaces, `UNSPACED_LETTERS` letters count as one word."""
    if text.isascii():
        return len(words(text))
    unspaced = len(UNSPACED.findall(text))
    return len(words(UNSPACED.sub(" ", text) if unspaced else text)) + ceil(unspaced / UNSPACED_LETTERS)
