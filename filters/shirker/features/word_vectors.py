"""Static word vectors: texts on the same subject have similar sums of vectors.

`word_vectors.npz` was distilled from all-MiniLM-L6-v2 (Apache-2.0) by `benchmarks/word_vectors.py`: 16,000 English
words with 96 numbers each in 8 bits. Words without a vector are ignored.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from skillmill.filters.shirker.features.rarity import prefix, rarity

Vectors = NDArray[np.float32]

FEWEST_ON_THREADS, FEWEST_OF_VECTOR_ON_THREADS = 2**18, 9216
"""The multiplications from which OpenBLAS computes a product of two matrices, or of a vector and a matrix, on several
threads. To limit the threads takes as long as a smaller product, so that is done from these sizes on only."""


class KnownWords(NamedTuple):
    """The words of a text that have a vector.

    Attributes:
        directions: float32 (words, 96); a vector of length 1 for each word.
        weights: float32 (words,); the weight of each word, which grows with its rarity.
    """

    directions: Vectors
    weights: Vectors

    @property
    def sum(self) -> Vectors:
        """The weighted sum of the vectors, float32 (96,); zeros for no words."""
        return product(self.weights, self.directions)


class WordVectors:
    """A table of word vectors. The last row stands for all unknown words and has weight 0.

    Attributes:
        directions: float32 (known words + 1, 96); a vector of length 1 for each word, zeros in the last row.
        weights: float32 (known words + 1,); the weight of each word.
    """

    def __init__(self, words: Sequence[str], vectors: Vectors) -> None:
        """Take the words and their weighted vectors, float32 (words, 96)."""
        self._rows = {word: row for row, word in enumerate(words)}
        vectors = np.vstack([vectors, np.zeros((1, vectors.shape[1]), np.float32)])
        self.weights = np.linalg.norm(vectors, axis=1)
        self.directions = vectors / self.weights.clip(1e-9)[:, None]

    @property
    def words(self) -> Iterable[str]:
        """The words that have a vector."""
        return self._rows

    def row(self, word: str) -> int:
        """Return the row of a word in the table."""
        return self._rows.get(word, len(self._rows))

    def of(self, words: Iterable[str]) -> KnownWords:
        """Return the words that have a vector, in the order of the table.

        The fixed order makes sums equal to the last bit, whatever order a set has in this process.
        """
        rows = np.array(sorted(row for row in map(self._rows.get, words) if row is not None), np.intp)
        return KnownWords(self.directions.take(rows, axis=0), self.weights.take(rows))


def product(left: Vectors, right: Vectors) -> Vectors:
    """Return the matrix product of two arrays, computed on one thread.

    On several threads such a small product takes milliseconds of CPU time: OpenBLAS keeps its threads busy for a while
    after it, so that the next product finds them awake.
    """
    multiplications = left.size * right.shape[-1]
    if multiplications < (FEWEST_ON_THREADS if left.ndim == 2 else FEWEST_OF_VECTOR_ON_THREADS):
        result: Vectors = left @ right
    else:
        with _thread_pools().limit(limits=1, user_api="blas"):
            result = left @ right
    return result


@cache
def _thread_pools() -> ThreadpoolController:
    """Return the controller of the thread pools, found once: a search for them takes milliseconds."""
    return ThreadpoolController()


@cache
def word_vectors() -> WordVectors:
    """Return the shipped table; a word's vector has the length of its vector in the file times its rarity."""
    with np.load(Path(__file__).parent / "word_vectors.npz", allow_pickle=False) as stored:
        words, vectors = str(stored["words"]).split(), stored["vectors"].astype(np.float32) / 127
    weights = np.array([rarity(prefix(word)) for word in words], np.float32)
    return WordVectors(words, vectors * weights[:, None])


def half_similarities(sums: Vectors) -> Vectors:
    """Return cosines between an instruction's subject and the two halves of an answer, -1..1, float32 (4, answers).

    `sums` is (answers, 3, 96): the sums of vectors of the subject, the first half and the second half. The rows of the
    result are: subject and whole answer, subject and first half, subject and second half, first and second half. A
    cosine is 0 if one of its sides has no known word.
    """
    products = sums @ sums.transpose(0, 2, 1)  # (answers, 3, 3): all scalar products of the three
    subject, first, second = (products[:, part, part] for part in range(3))
    to_first, to_second, between = products[:, 0, 1], products[:, 0, 2], products[:, 1, 2]
    dots = np.array([to_first + to_second, to_first, to_second, between])
    squares = np.array([subject * (first + 2 * between + second), subject * first, subject * second, first * second])
    cosines: Vectors = np.zeros_like(dots)
    np.divide(dots, np.sqrt(np.maximum(squares, 0)), out=cosines, where=squares > 0)
    return cosines


def nearest_similarities(subject: KnownWords, answer: KnownWords) -> tuple[float, float]:
    """Return how well the answer's words match the subject's, and how well the subject's match the answer's, 0..1.

    For each word of one side, take the highest cosine with a word of the other side; the result is the mean of these,
    weighted by the words' weights. The first number is over the subject's words, the second over the answer's. Both
    are 0 if a side has no known word.
    """
    subject_weight, answer_weight = float(np.add.reduce(subject.weights)), float(np.add.reduce(answer.weights))
    if not subject_weight or not answer_weight:
        return 0.0, 0.0
    cosines = product(subject.directions, answer.directions.T)  # (subject words, answer words)
    return (
        float(np.maximum.reduce(cosines, axis=1, initial=0) @ subject.weights) / subject_weight,
        float(np.maximum.reduce(cosines, axis=0) @ answer.weights) / answer_weight,
    )
