"""Semantic duplicates: rows whose instructions or responses have embeddings with a cosine at the threshold or above.

SemDeDup (Abbas et al., arXiv 2303.09540) compares embeddings within k-means clusters; here a row is compared with all
kept rows. Embeddings are stored beside the signatures as 16-bit floats. Those of the kept rows are in memory as blocks
of 32-bit floats, and a batch of rows is compared with a block by one matrix product. This is exact, and the result does
not depend on where a run was interrupted, which does not hold for the graphs of approximate indexes. docs/filters.md
states up to how many rows it is fast enough.
"""

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skillmill.data.reasons import SEMANTIC_DUPLICATE
from skillmill.data.text.encoder import Encoder
from skillmill.data.text.ngrams import normal_words
from skillmill.filters.dedup.duplicate_of import DuplicateOf, first_similar
from skillmill.filters.dedup.options import NearDuplicates
from skillmill.filters.dedup.signatures import CHUNK, RecordNumbers, Records, RowTexts, SignatureFile, record_type

BLOCK_ROWS = 4096
MARGIN = 1e-3
"""Candidates are selected by 32-bit products at this distance below the threshold and decided by 64-bit products, so
that the order of summation does not change the result."""

Vectors = NDArray[np.float32]
"""Embeddings of rows, (n, 2, size): of the instruction and of the response, unit length, zeros if not compared."""


class EmbeddingIndex:
    """The embeddings of rows, on the disk, and those of the kept rows, in memory.

    Raises `ConfigError` if the model cannot be loaded.
    """

    def __init__(self, path: Path, options: NearDuplicates, plan: str) -> None:
        assert options.semantic is not None
        self._threshold, self._min_words = options.semantic.threshold, options.min_words
        self._plan = int(plan[:8], 16)
        self._encode = Encoder(options.semantic.model, "filters.near_duplicates.semantic.model")
        self._size = self._encode([""]).shape[1]
        header = {"sentence-transformers": version("sentence-transformers"), "model": options.semantic.model}
        self.file = SignatureFile(path, record_type(self._size, "<f2"), header, self._embeddings)
        self._blocks: list[NDArray[np.float32]] = []  # each (2, BLOCK_ROWS, size), filled with zeros
        self._numbers = np.empty(0, np.int64)  # of the records in the blocks, (len(blocks) * BLOCK_ROWS,)
        self._count = 0  # of the rows in the blocks

    def keep(self, rows: Sequence[int]) -> None:
        """Add rows that were kept earlier, by id; all must have stored embeddings."""
        numbers = self.file.numbers(rows)
        for start in range(0, len(numbers), CHUNK):
            part = numbers[start : start + CHUNK]
            self.add(part, _vectors(self.file.read(part)))

    def batch(self, texts: Sequence[RowTexts]) -> "EmbeddingBatch":
        """Return a batch of rows that are to be decided in order."""
        numbers, records = self.file.records_of(texts, self._plan)
        return EmbeddingBatch(self, numbers, records)

    def add(self, numbers: RecordNumbers, vectors: Vectors) -> None:
        """Add n kept rows: the numbers of their records, (n,), and their embeddings, (n, 2, size)."""
        for number, vectors_of_row in zip(numbers.tolist(), vectors, strict=True):
            block, place = divmod(self._count, BLOCK_ROWS)
            if block == len(self._blocks):
                self._blocks.append(np.zeros((2, BLOCK_ROWS, self._size), np.float32))
                self._numbers = np.concatenate([self._numbers, np.zeros(BLOCK_ROWS, np.int64)])
            self._blocks[block][:, place] = vectors_of_row
            self._numbers[self._count] = number
            self._count += 1

    def may_be_similar(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which pairs of `one`, (n, size), and `other`, (m, size), may reach the threshold, (n, m)."""
        return np.asarray(one @ other.T >= self._threshold - MARGIN)

    def candidates(self, vectors: Vectors) -> list[list[int]]:
        """Return, for each of n rows, (n, 2, size), the numbers of the kept records that may reach the threshold."""
        candidates: list[list[int]] = [[] for _ in vectors]
        for block_number, block in enumerate(self._blocks):
            for text in range(2):
                rows, places = np.nonzero(self.may_be_similar(vectors[:, text], block[text]))
                numbers = self._numbers[block_number * BLOCK_ROWS + places]
                for row, number in zip(rows.tolist(), numbers.tolist(), strict=True):
                    candidates[row].append(number)
        return candidates

    def first_similar(self, index: int, vectors: NDArray[np.float32], candidates: Iterable[int]) -> DuplicateOf | None:
        """Return the row that a row with this cell index and embeddings, (2, size), repeats among the candidates."""
        numbers = np.fromiter(set(candidates), np.int64)
        if not len(numbers):
            return None
        kept = self.file.read(numbers)
        cosines = (_vectors(kept).astype(np.float64) * vectors).sum(axis=2).round(4)
        first = first_similar(kept, cosines, self._threshold, index, self._plan)
        return None if first is None else DuplicateOf.of(kept[first], cosines[first], SEMANTIC_DUPLICATE)

    def _embeddings(self, texts: Sequence[RowTexts]) -> NDArray[np.float16]:
        """Return the embeddings of rows, (n, 2, size).

        A response of fewer than `min_words` words gets zeros: a number or a name may answer many instructions.
        """
        embeddings = np.zeros((len(texts), 2, self._size), np.float16)
        pairs = [
            (text.instruction, text.response if len(normal_words(text.response)) >= self._min_words else "")
            for text in texts
        ]
        places = [(row, text) for row, pair in enumerate(pairs) for text in range(2) if pair[text]]
        if places:
            rows, sides = np.array(places).T
            embeddings[rows, sides] = self._encode([pairs[row][text] for row, text in places])
        return embeddings


class EmbeddingBatch:
    """A batch of n rows that are decided in order; each is compared with the kept rows before it.

    `numbers`, (n,), and `records`, (n,), are those of the rows in the file of embeddings.
    """

    def __init__(self, index: EmbeddingIndex, numbers: RecordNumbers, records: Records) -> None:
        self._index, self._numbers, self._records = index, numbers, records
        self._vectors = _vectors(records)
        self._older = index.candidates(self._vectors)
        instructions, responses = self._vectors[:, 0], self._vectors[:, 1]
        self._similar = index.may_be_similar(instructions, instructions) | index.may_be_similar(responses, responses)
        self._kept = np.zeros(len(records), bool)

    def first_similar(self, place: int) -> DuplicateOf | None:
        """Return the kept row that the row at `place` in the batch repeats, None if it repeats none."""
        recent = self._numbers[self._kept & self._similar[place]]
        candidates = [*self._older[place], *recent.tolist()]
        return self._index.first_similar(self._records["index"][place], self._vectors[place], candidates)

    def keep(self, place: int) -> None:
        """Keep the row at `place` in the batch: rows after it are compared with it."""
        self._kept[place] = True
        one = slice(place, place + 1)
        self._index.add(self._numbers[one], self._vectors[one])


def _vectors(records: Records) -> Vectors:
    return np.asarray(records["signatures"], np.float32)
