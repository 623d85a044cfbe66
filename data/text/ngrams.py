"""Word n-grams as 64-bit hashes: equal for texts that differ only in case, punctuation and white space."""

import re
import unicodedata
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from skillmill.data.text.words import INVISIBLE, UNSPACED, WORD_PART

Hashes = NDArray[np.uint64]

PART = re.compile(WORD_PART)
ASCII_PART = re.compile("[a-z0-9]+")
"""`WORD_PART` for ASCII text in lower case; it is faster."""
APOSTROPHE = re.compile("['’ʼ]")
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio. It is odd, so that multiplication modulo 2^64 loses no bit of a hash."""


def normal_words(text: str) -> list[str]:
    """Return the words in normal form: letters and digits only, NFKC, case folded.

    "don't" is "dont", "well-known" is two words, and invisible characters such as soft hyphens are dropped. In scripts
    without spaces every character is a word.
    """
    if text.isascii():
        return ASCII_PART.findall(text.lower().replace("'", ""))
    text = text.translate(INVISIBLE)
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return PART.findall(UNSPACED.sub(r" \g<0> ", APOSTROPHE.sub("", text)))


def hashed(words: Iterable[str]) -> Hashes:
    """Return the hash of each word, uint64 (words,); it is the same on every machine and in every process."""
    return np.fromiter(map(xxh3_64_intdigest, map(str.encode, words)), np.uint64)


def ngram_hashes(words: Hashes, n: int) -> Hashes:
    """Return the hash of each n-gram of hashed words, uint64 (max(words - n + 1, 0),), in order.

    A hash is a polynomial in `MULTIPLIER` of the hashes of the n words, modulo 2^64.
    """
    count = max(len(words) - n + 1, 0)
    total = np.zeros(count, np.uint64)
    for place in range(n):
        total *= MULTIPLIER
        total += words[place : place + count]
    return total


def jaccard(one: str, other: str, n: int = 3) -> float:
    """Return the exact Jaccard similarity of two texts' sets of word n-grams, 0..1.

    If a text has fewer than n words, the n-grams are as long as the shorter text. Two texts without words have 1.
    """
    words = normal_words(one), normal_words(other)
    n = max(1, min(n, *map(len, words)))
    grams = [set(ngram_hashes(hashed(each), n).tolist()) for each in words]
    return len(grams[0] & grams[1]) / len(grams[0] | grams[1]) if grams[0] or grams[1] else 1.0
