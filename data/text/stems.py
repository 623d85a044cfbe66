"""The stem of an English word, by the Snowball algorithm."""

from functools import cache, lru_cache
from threading import Lock

from snowballstemmer import EnglishStemmer

_LOCK = Lock()
"""A `snowballstemmer` object keeps its word in attributes, so two threads must not use it at once."""


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Return the Snowball stem (Porter2) of one word: "improving", "improved" and "improves" give "improv".

    The word is lower-cased first. Different words can share a stem ("universe" and "university"). Results are cached.
    English is the only language for now.
    """
    with _LOCK:
        stemmed: str = _stemmer().stemWord(word.lower())
    return stemmed


@cache
def _stemmer() -> EnglishStemmer:
    """Return the pure Python stemmer, also where PyStemmer is installed, so that stems are the same on all machines."""
    return EnglishStemmer()
