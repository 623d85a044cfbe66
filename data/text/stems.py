"""The stem of a word, by the Snowball algorithm of its language."""

from functools import cache, lru_cache
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snowballstemmer.basestemmer import BaseStemmer

STEMMED_LANGUAGES: dict[str, str] = {
    "Bosnian": "serbian",
    "Croatian": "serbian",
    **{
        name.capitalize(): name
        for name in (
            "arabic armenian basque catalan czech danish dutch english estonian finnish french german greek hungarian "
            "indonesian irish italian lithuanian norwegian persian polish portuguese romanian russian serbian spanish "
            "swedish turkish"
        ).split()
    },
}
"""The languages that have stems, each with its algorithm. They are written as values of `generation.language`."""

_LOCK = Lock()
"""A `snowballstemmer` object keeps its word in attributes, so two threads must not use it at once."""


_LONGEST = 64
"""The most letters of a word that is stemmed: the time grows with the square of the length."""


def stem(word: str, language: str = "English") -> str:
    """Return the Snowball stem of one word: "improving", "improved" and "improves" give "improv" (Porter2).

    The word is lower-cased first. Different words can share a stem ("universe" and "university"). Results are cached.
    A word of more than 64 letters is its own stem. Raises `KeyError` for a language that is not in `STEMMED_LANGUAGES`.
    """
    algorithm = STEMMED_LANGUAGES[language]
    return word.lower() if len(word) > _LONGEST else _stem(word, algorithm)


@lru_cache(maxsize=65_536)
def _stem(word: str, algorithm: str) -> str:
    with _LOCK:
        stemmed: str = _stemmer(algorithm).stemWord(word.lower())
    return stemmed


@cache
def _stemmer(algorithm: str) -> "BaseStemmer":
    """Return the pure Python stemmer, so that stems are the same on all machines.

    Where PyStemmer is installed, the package `snowballstemmer` itself offers PyStemmer's stemmers only; its modules
    hold the pure ones.
    """
    module = import_module(f"snowballstemmer.{algorithm}_stemmer")
    stemmer: BaseStemmer = getattr(module, f"{algorithm.capitalize()}Stemmer")()
    return stemmer
