"""Semantic duplicates, an option of the near-duplicates: rows whose instructions or responses mean the same, by the
cosine of their embeddings (SemDeDup, Abbas et al. 2023, compares within clusters; here all kept rows are compared).

Embeddings lie on the disk beside the signatures, in 16 bits. In memory the kept rows' are blocks of 32-bit numbers,
and a batch of rows is compared by one product of matrices a block: exact, and the same wherever a run was stopped,
which the graphs of approximate indexes are not. docs/filters.md says up to how many rows that is quick enough.
"""

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from skillmill.data.reasons import Reason
from skillmill.data.text.ngrams import normal_words
from skillmill.filters.config import NearDuplicates
from skillmill.filters.dedup.matches import Match, first_near
from skillmill.filters.dedup.signatures import CHUNK, SignatureFile, Text, record_type
from skillmill.skill_taxonomy.curation.encoder import Encoder

BLOCK_ROWS = 4096
MARGIN = 1e-3
"""What products in 32 bits bring up is computed again in 64, so that no order of summing decides."""


class Meanings:
    """The embeddings of rows, on the disk, and those of kept rows in memory. `ConfigError` without the model."""

    def __init__(self, path: Path, options: NearDuplicates, plan: str) -> None:
        assert options.semantic is not None
        self._threshold, self._min_words = options.semantic.threshold, options.min_words
        self.plan = int(plan[:8], 16)
        self._encode = Encoder(options.semantic.model, "filters.near_duplicates.semantic.model")
        self._size = self._encode([""]).shape[1]
        about = {"sentence-transformers": version("sentence-transformers"), "model": options.semantic.model}
        self.file = SignatureFile(path, record_type(self._size, "<f2"), about, self._embed)
        self._blocks: list[np.ndarray] = []
        self._numbers = np.empty(0, np.int64)
        self._count = 0

    def keep(self, rows: Sequence[int]) -> None:
        """Take rows that are kept already, by id, all with embeddings on the disk, into the index."""
        numbers = np.array([self.file.number(row) for row in rows], np.int64)
        for start in range(0, len(numbers), CHUNK):
            part = numbers[start : start + CHUNK]
            self.add(part, self._compared(self.file.records(part)))

    def batch(self, texts: Sequence[Text]) -> "Batch":
        """Rows to be decided one after the other."""
        numbers, records = self.file.signed(texts, self.plan)
        return Batch(self, numbers, records, self._compared(records))

    def add(self, numbers: np.ndarray, vectors: np.ndarray) -> None:
        """Kept rows: the numbers of their records, and their vectors (n, 2, size)."""
        for number, both in zip(numbers.tolist(), vectors, strict=True):
            block, place = divmod(self._count, BLOCK_ROWS)
            if block == len(self._blocks):
                self._blocks.append(np.zeros((2, BLOCK_ROWS, self._size), np.float32))
                self._numbers = np.concatenate([self._numbers, np.zeros(BLOCK_ROWS, np.int64)])
            self._blocks[block][:, place] = both
            self._numbers[self._count] = number
            self._count += 1

    def alike(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Which rows of `one` (n, size) may be as near as the threshold to which of `other` (m, size), (n, m)."""
        found: np.ndarray = one @ other.T >= self._threshold - MARGIN
        return found

    def near(self, vectors: np.ndarray) -> list[list[int]]:
        """For each of the vectors (n, 2, size), the numbers of kept records that may be as near as the threshold."""
        found: list[list[int]] = [[] for _ in vectors]
        for start, block in enumerate(self._blocks):
            for text in range(2):
                rows, places = np.nonzero(self.alike(vectors[:, text], block[text]))
                numbers = self._numbers[start * BLOCK_ROWS + places]
                for row, number in zip(rows.tolist(), numbers.tolist(), strict=True):
                    found[row].append(number)
        return found

    def first(self, index: int, vectors: np.ndarray, candidates: Iterable[int]) -> Match | None:
        """The first of the candidate records that is as near to a row's vectors (2, size) as the threshold."""
        numbers = np.fromiter(set(candidates), np.int64)
        if not len(numbers):
            return None
        kept = self.file.records(numbers)
        near = (self._compared(kept).astype(np.float64) * vectors).sum(axis=2).round(4)
        first = first_near(kept, near, self._threshold, index, self.plan)
        return None if first is None else Match.of(kept[first], near[first], Reason.SEMANTIC_DUPLICATE)

    def _compared(self, records: np.ndarray) -> np.ndarray:
        return np.asarray(records["signatures"], np.float32)

    def _embed(self, texts: Sequence[Text]) -> np.ndarray:
        """An answer of a few words, a number or a name, may answer many questions and is compared with none."""
        made = np.zeros((len(texts), 2, self._size), np.float16)
        both = [
            (text.instruction, text.response if len(normal_words(text.response)) >= self._min_words else "")
            for text in texts
        ]
        places = [(row, text) for row, pair in enumerate(both) for text in range(2) if pair[text]]
        if places:
            rows, sides = np.array(places).T
            made[rows, sides] = self._encode([both[row][text] for row, text in places])
        return made


class Batch:
    """Rows that are decided in order; those that are kept count for the rows after them."""

    def __init__(self, meanings: Meanings, numbers: np.ndarray, records: np.ndarray, vectors: np.ndarray) -> None:
        self._meanings, self._numbers, self._records, self._vectors = meanings, numbers, records, vectors
        self._older = meanings.near(vectors)
        self._alike = meanings.alike(vectors[:, 0], vectors[:, 0]) | meanings.alike(vectors[:, 1], vectors[:, 1])
        self._kept = np.zeros(len(vectors), bool)

    def first(self, place: int) -> Match | None:
        """What the row at `place` of the batch repeats, None where nothing that was kept."""
        vectors = self._vectors[place]
        recent = self._numbers[self._kept & self._alike[place]]
        return self._meanings.first(self._records["index"][place], vectors, [*self._older[place], *recent.tolist()])

    def keep(self, place: int) -> None:
        self._kept[place] = True
        one = slice(place, place + 1)
        self._meanings.add(self._numbers[one], self._vectors[one])
