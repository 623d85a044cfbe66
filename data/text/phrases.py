"""Search for phrases in a text: a pattern for names, and a fast check before a slow pattern."""

import re
from collections.abc import Iterable

from skillmill.data.text.words import UNSPACED_RANGES, WORD

BETWEEN_WORDS = r"[\s_\-\u2010-\u2015]"
"""A character that can separate the words of a name: white space, underscore, hyphen or dash."""

NAME_START = rf"(?<![^\W_{UNSPACED_RANGES}])(?<!(?<!\S)\.)"
"""The place where a name can begin: not inside a word, and not after the dot of a name such as ".NET". Letters of a
script without spaces are no part of a word, so that a name is found between them."""
NAME_END = rf"(?![^\W_{UNSPACED_RANGES}\uac00-\ud7a3]|[+#])"
"""The place where a name can end: not inside a word, and not before the sign of a name such as "C++" or "C#". Korean
particles follow a name without a space."""


def contains_any(text: str, signs: Iterable[str]) -> bool:
    """Return whether the text contains one of the signs.

    Signs are substrings, one of which is in every match of a pattern; a text without any of them need not be searched.
    """
    for sign in signs:  # noqa: SIM110 - half the time of any()
        if sign in text:
            return True
    return False


def phrase_pattern(phrases: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern that finds any of the phrases as whole words; None if no phrase has a letter or digit.

    The pattern ignores case, takes any white space, hyphens or dashes between words, and allows a plural ending. In
    scripts without spaces it finds a phrase anywhere.
    """
    alternatives = []
    for phrase in phrases:
        *parts, last = re.split(rf"{BETWEEN_WORDS}+", phrase.strip(" \t\r\n_-\"'“”")) or [""]
        if WORD.search(phrase):
            alternatives.append(rf"{BETWEEN_WORDS}+".join([*map(re.escape, parts), _with_plural(last)]))
    if not alternatives:
        return None
    return re.compile(rf"{NAME_START}(?:{'|'.join(alternatives)}){NAME_END}", re.IGNORECASE)


def _with_plural(word: str) -> str:
    """Return a regular expression for the word and its plural."""
    if word.lower().endswith("y") and len(word) > 2:
        return f"{re.escape(word[:-1])}(?:y|ies|ys)"
    if word.lower().endswith("is") and len(word) > 4:
        return f"{re.escape(word[:-2])}(?:is|es)"
    return re.escape(word) + ("(?:es|s)?" if word[-1:].isalpha() else "")
