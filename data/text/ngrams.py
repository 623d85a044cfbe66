"""Runs of n words as 64-bit numbers: the same for texts that differ in case, punctuation and spaces alone."""

import re
import unicodedata
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from skillmill.data.text.measures import INVISIBLE
from skillmill.data.text.tokens import UNSPACED

Hashes = NDArray[np.uint64]

ASCII_WORD = re.compile("[a-z0-9]+")
WORD = re.compile(r"[^\W_]+")
APOSTROPHE = re.compile("['’ʼ]")
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""Odd, so that no bit of a word is lost on the way; 2^64 over the golden ratio."""


def normal_words(text: str) -> list[str]:
    """Letters and digits, case folded; `don't` is `dont`, `well-known` two words, a soft hyphen nothing. In
    scripts without spaces every character is a word."""
    if text.isascii():
        return ASCII_WORD.findall(text.lower().replace("'", ""))
    text = text.translate(INVISIBLE)
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return WORD.findall(UNSPACED.sub(r" \g<0> ", APOSTROPHE.sub("", text)))


def hashed(words: Iterable[str]) -> Hashes:
    """A number a word, the same on every machine and in every process."""
    return np.fromiter(map(xxh3_64_intdigest, map(str.encode, words)), np.uint64)


def ngram_hashes(words: Hashes, n: int) -> Hashes:
    """A number for each run of n words, in order: a polynomial of theirs, modulo 2^64."""
    count = max(len(words) - n + 1, 0)
    total = np.zeros(count, np.uint64)
    for place in range(n):
        total *= MULTIPLIER
        total += words[place : place + count]
    return total


def jaccard(one: str, other: str, n: int = 3) -> float:
    """The share of runs of n words that two texts have in common, 0..1, counted exactly.

    Texts of fewer than n words are compared by runs as long as the shorter one; two without any word are alike.
    """
    words = normal_words(one), normal_words(other)
    n = max(1, min(n, *map(len, words)))
    runs = [set(ngram_hashes(hashed(each), n).tolist()) for each in words]
    return len(runs[0] & runs[1]) / len(runs[0] | runs[1]) if runs[0] or runs[1] else 1.0
