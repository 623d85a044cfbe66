"""What words are about, roughly: a fixed vector a word, from which texts on one subject get vectors that are alike.

`word_vectors.npz` was distilled from all-MiniLM-L6-v2 (Apache-2.0) by `benchmarks/word_vectors.py`: 16,000 words
of 96 numbers in 8 bits. A word that is not there says nothing.
"""

import math
from collections.abc import Iterable, Sequence, Set
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skillmill.filters.rarity import rarity, stem

Vector = NDArray[np.float32]


class Words(NamedTuple):
    """Words that have a vector, one a row, in an order of their own: their `directions`, vectors of length 1, and their
    `weights`, the longer the rarer."""

    directions: Vector
    weights: Vector

    @property
    def sum(self) -> Vector:
        """The weighted sum, zeros of no words."""
        total: Vector = self.weights @ self.directions
        return total


class WordVectors:
    """A vector for each word."""

    def __init__(self, rows: dict[str, int], vectors: Vector) -> None:
        self._rows = rows
        self._weights = np.linalg.norm(vectors, axis=1).clip(1e-9)
        self._directions = vectors / self._weights[:, None]

    @property
    def words(self) -> Iterable[str]:
        """The words that have a vector."""
        return self._rows

    def of(self, words: Iterable[str]) -> Words:
        """The known ones of the words; the same to the last bit in whatever order they come."""
        return self._at(sorted([row for row in map(self._rows.get, words) if row is not None]))

    def of_halves(self, first: Set[str], second: Set[str]) -> tuple[Words, Vector]:
        """The known ones of all the words, and their sums over `first` and over `second`, one a row."""
        places: list[int] = []
        ends = [0]
        for group in (first - second, first & second, second - first):
            places += sorted([row for row in map(self._rows.get, group) if row is not None])
            ends.append(len(places))
        found = self._at(places)
        halves = np.zeros((2, len(places)), np.float32)
        halves[0, : ends[2]] = found.weights[: ends[2]]
        halves[1, ends[1] :] = found.weights[ends[1] :]
        return found, halves @ found.directions

    def _at(self, places: Sequence[int]) -> Words:
        taken = np.array(places, np.intp)
        return Words(self._directions.take(taken, axis=0), self._weights.take(taken))


@cache
def word_vectors() -> WordVectors:
    with np.load(Path(__file__).parent / "word_vectors.npz", allow_pickle=False) as stored:
        words, vectors = str(stored["words"]).split(), stored["vectors"].astype(np.float32) / 127
    weights = np.array([rarity(stem(word)) for word in words], np.float32)
    return WordVectors({word: row for row, word in enumerate(words)}, vectors * weights[:, None])


def likeness(subject: Vector, halves: Vector) -> tuple[float, float, float, float]:
    """Cosines, -1..1: of the subject and both halves of a text together, the first, the second, and of the two halves.

    0 where one of them says nothing.
    """
    own, (to_first, to_second) = float(subject @ subject), (halves @ subject).tolist()
    (first_own, between), (_, second_own) = (halves @ halves.T).tolist()
    whole = first_own + 2 * between + second_own
    return (
        _cosine(to_first + to_second, own * whole),
        _cosine(to_first, own * first_own),
        _cosine(to_second, own * second_own),
        _cosine(between, first_own * second_own),
    )


def closeness(asked: Words, answered: Words) -> tuple[float, float]:
    """How near an answer's words come to those asked about, and the other way round: each word's likest of the other
    side, 0..1, the mean by how rare the words are. 0 where a side says nothing."""
    if not len(asked.weights) or not len(answered.weights):
        return 0.0, 0.0
    alike = answered.directions @ asked.directions.T
    return (
        float(alike.max(axis=0) @ asked.weights / asked.weights.sum()),
        float(alike.max(axis=1) @ answered.weights / answered.weights.sum()),
    )


def _cosine(product: float, squares: float) -> float:
    return product / math.sqrt(squares) if squares > 0 else 0.0
