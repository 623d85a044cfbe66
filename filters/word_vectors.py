"""What words are about, roughly: a fixed vector a word, from which texts on one subject get vectors that are alike.

`word_vectors.npz` was distilled from all-MiniLM-L6-v2 (Apache-2.0) by `benchmarks/word_vectors.py`: 16,000 words
of 96 numbers in 8 bits. A word that is not there says nothing.
"""

import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skillmill.filters.rarity import rarity, stem

Vector = NDArray[np.float32]


class WordVectors:
    """Vectors of words, each as long as the word is rare."""

    def __init__(self, rows: dict[str, int], vectors: Vector) -> None:
        self._rows, self._vectors = rows, vectors
        self._nothing = np.zeros(vectors.shape[1], np.float32)

    def sum(self, words: Iterable[str]) -> Vector:
        """The sum over the words, zeros where none is known; the same to the last bit in whatever order they come."""
        places = sorted([row for row in map(self._rows.get, words) if row is not None])
        total: Vector = self._vectors.take(places, axis=0).sum(axis=0) if places else self._nothing
        return total


@cache
def word_vectors() -> WordVectors:
    with np.load(Path(__file__).parent / "word_vectors.npz", allow_pickle=False) as stored:
        words, vectors = str(stored["words"]).split(), stored["vectors"].astype(np.float32) / 127
    weights = np.array([rarity(stem(word)) for word in words], np.float32)
    return WordVectors({word: row for row, word in enumerate(words)}, vectors * weights[:, None])


def likeness(subject: Vector, first: Vector, second: Vector) -> tuple[float, float, float, float]:
    """Cosines, -1..1: of the subject and both halves of a text together, the first, the second, and of the two halves.

    0 where one of them says nothing.
    """
    three = np.stack((subject, first, second))
    (own, to_first, to_second), (_, first_own, halves), (_, _, second_own) = (three @ three.T).tolist()
    whole = first_own + 2 * halves + second_own
    return (
        _cosine(to_first + to_second, own * whole),
        _cosine(to_first, own * first_own),
        _cosine(to_second, own * second_own),
        _cosine(halves, first_own * second_own),
    )


def _cosine(product: float, squares: float) -> float:
    return product / math.sqrt(squares) if squares > 0 else 0.0
