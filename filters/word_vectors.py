"""What words are about, roughly: a fixed vector a word, from which texts on one subject get vectors that are alike.

`word_vectors.npz` was distilled from all-MiniLM-L6-v2 (Apache-2.0) by `benchmarks/word_vectors.py`: 16,000 words
of 96 numbers in 8 bits. A word that is not there says nothing.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain, repeat
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
        self._unknown = len(vectors)  # a row of zeros behind the others
        vectors = np.vstack([vectors, np.zeros((1, vectors.shape[1]), np.float32)])
        self._weights = np.linalg.norm(vectors, axis=1)
        self._directions = vectors / self._weights.clip(1e-9)[:, None]

    @property
    def words(self) -> Iterable[str]:
        """The words that have a vector."""
        return self._rows

    def of(self, words: Iterable[str]) -> Words:
        """The known ones of the words; the same to the last bit in whatever order they come."""
        return self._at(np.array(sorted([row for row in map(self._rows.get, words) if row is not None]), np.intp))

    def of_halves(self, first: Sequence[str], both: Sequence[str], second: Sequence[str]) -> tuple[Words, Vector]:
        """All the words, and their sums over the first half of a text and the second, one a row.

        `first` and `second` are the words that one half has alone; unknown ones have weight 0.
        """
        begun, ended = len(first), len(first) + len(both)
        rows = map(self._rows.get, chain(first, both, second), repeat(self._unknown))
        found = self._at(np.fromiter(rows, np.intp, ended + len(second)))
        halves = np.zeros((2, len(found.weights)), np.float32)
        halves[0, :ended] = found.weights[:ended]
        halves[1, begun:] = found.weights[begun:]
        return found, halves @ found.directions

    def _at(self, rows: NDArray[np.intp]) -> Words:
        return Words(self._directions.take(rows, axis=0), self._weights.take(rows))


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
    asked_weight, answered_weight = float(np.add.reduce(asked.weights)), float(np.add.reduce(answered.weights))
    if not asked_weight or not answered_weight:
        return 0.0, 0.0
    alike = asked.directions @ answered.directions.T
    return (
        float(np.maximum.reduce(alike, axis=1) @ asked.weights) / asked_weight,
        float(np.maximum.reduce(alike, axis=0) @ answered.weights) / answered_weight,
    )


def _cosine(product: float, squares: float) -> float:
    return product / math.sqrt(squares) if squares > 0 else 0.0
