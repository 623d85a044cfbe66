"""What words are about, roughly: a fixed vector a word, from which texts on one subject get vectors that are alike.

`word_vectors.npz` was distilled from all-MiniLM-L6-v2 (Apache-2.0) by `benchmarks/word_vectors.py`: 16,000 words
of 96 numbers in 8 bits. A word that is not there says nothing.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skillmill.filters.shirker.rarity import rarity, stem

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
    """A vector for each word: its `directions`, a vector of length 1, and its `weights`. The last row is that of all
    unknown words and has weight 0."""

    def __init__(self, words: Sequence[str], vectors: Vector) -> None:
        self._places = {word: place for place, word in enumerate(words)}
        vectors = np.vstack([vectors, np.zeros((1, vectors.shape[1]), np.float32)])
        self.weights = np.linalg.norm(vectors, axis=1)
        self.directions = vectors / self.weights.clip(1e-9)[:, None]

    @property
    def words(self) -> Iterable[str]:
        """The words that have a vector."""
        return self._places

    def places(self, words: Sequence[str]) -> NDArray[np.intp]:
        """The row of each word."""
        unknown = repeat(len(self._places))
        return np.fromiter(map(self._places.get, words, unknown), np.intp, len(words))

    def of(self, words: Iterable[str]) -> Words:
        """The known ones of the words; the same to the last bit in whatever order they come."""
        places = np.array(sorted(place for place in map(self._places.get, words) if place is not None), np.intp)
        return Words(self.directions.take(places, axis=0), self.weights.take(places))


@cache
def word_vectors() -> WordVectors:
    with np.load(Path(__file__).parent / "word_vectors.npz", allow_pickle=False) as stored:
        words, vectors = str(stored["words"]).split(), stored["vectors"].astype(np.float32) / 127
    weights = np.array([rarity(stem(word)) for word in words], np.float32)
    return WordVectors(words, vectors * weights[:, None])


def likeness(texts: Vector) -> Vector:
    """Cosines, -1..1, of the subject and a text's first and second half (n, 3, d): of the subject and both halves
    together, the first, the second, and of the two halves; (4, n). 0 where one of them says nothing."""
    products = texts @ texts.transpose(0, 2, 1)
    asked, first, second = (products[:, part, part] for part in range(3))
    to_first, to_second, between = products[:, 0, 1], products[:, 0, 2], products[:, 1, 2]
    found = np.array([to_first + to_second, to_first, to_second, between])
    squares = np.array([asked * (first + 2 * between + second), asked * first, asked * second, first * second])
    return np.divide(found, np.sqrt(np.maximum(squares, 0)), out=np.zeros_like(found), where=squares > 0)


def closeness(asked: Words, answered: Words) -> tuple[float, float]:
    """How near an answer's words come to those asked about, and the other way round: each word's likest of the other
    side, 0..1, the mean by how rare the words are. 0 where a side says nothing."""
    asked_weight, answered_weight = float(np.add.reduce(asked.weights)), float(np.add.reduce(answered.weights))
    if not asked_weight or not answered_weight:
        return 0.0, 0.0
    alike = asked.directions @ answered.directions.T
    return (
        float(np.maximum.reduce(alike, axis=1, initial=0) @ asked.weights) / asked_weight,
        float(np.maximum.reduce(alike, axis=0) @ answered.weights) / answered_weight,
    )
