"""The corpus filter for near-duplicates: of rows that repeat each other, the one with the lowest index is kept.

Rows are decided in index order. The instruction and the response of a row are each compared with those of the rows
kept so far. Equal texts are found by their hash. Similar texts are found by MinHash (`minhash.py`) and LSH
(`band_index.py`): a row is compared with the kept rows that share a key with it. With the option `semantic`, a row that
repeats none of these is compared by its embeddings (`embedding_index.py`).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

from skillmill.data.reasons import DUPLICATE, NEAR_DUPLICATE
from skillmill.filters.dedup.band_index import BandIndex
from skillmill.filters.dedup.duplicate_of import DuplicateOf, first_similar
from skillmill.filters.dedup.embedding_index import EmbeddingIndex
from skillmill.filters.dedup.minhash import Bands, Keys, Signatures, exact_keys, signature, similarity
from skillmill.filters.dedup.options import NearDuplicates
from skillmill.filters.dedup.signatures import CHUNK, Records, RowTexts, SignatureFile, record_type

EMBEDDINGS = "embeddings.bin"
"""Name of the file of embeddings, in the folder of the signatures."""


class Corpus:
    """The kept rows of all plans, against which the rows of one plan are decided.

    A duplicate repeats the kept row of its own plan with the lowest index, or else one of another plan. Rows of one
    cell, with the same index, are never duplicates of each other, as an export takes only one of them. Signatures are
    stored at `path`. Raises `ConfigError` if the model of `semantic` cannot be loaded, `StoreError` if the files cannot
    be read or written. Close it after use.
    """

    def __init__(self, path: Path, options: NearDuplicates, plan: str) -> None:
        self._options, self._plan = options, int(plan[:8], 16)
        compared = options.model_dump(exclude={"enabled", "threshold", "semantic"})
        header = {"rensa": RMinHash.ALGORITHM_VERSION, **compared}
        self._embeddings = EmbeddingIndex(path.with_name(EMBEDDINGS), options, plan) if options.semantic else None
        self._file = SignatureFile(path, record_type(options.permutations), header, self._signatures)
        self._bands = Bands.of(options.threshold, options.permutations)
        self._index = BandIndex()

    @property
    def computed(self) -> int:
        """Number of signatures and embeddings of rows that were computed because the files did not have them."""
        return sum(file.computed for file in self._files)

    def missing(self, rows: Iterable[int]) -> set[int]:
        """Return the ids in `rows` without a stored signature or embedding."""
        rows = set(rows)
        return set[int]().union(*(file.missing(rows) for file in self._files))

    def sign(self, texts: Sequence[RowTexts], plan: str) -> None:
        """Compute and store the signatures and embeddings of rows of any plan."""
        for file in self._files:
            file.records_of(texts, int(plan[:8], 16))

    def keep(self, rows: Iterable[int]) -> None:
        """Add rows that were kept earlier, by id; all must have stored signatures and embeddings."""
        rows = list(rows)
        numbers = self._file.numbers(rows)
        for start in range(0, len(numbers), CHUNK):
            part = numbers[start : start + CHUNK]
            self._index.add_many(self._keys(self._file.read(part)), part)
        if self._embeddings:
            self._embeddings.keep(rows)

    def decide(self, texts: Sequence[RowTexts]) -> list[DuplicateOf | None]:
        """Return for each row, in index order, the kept row that it repeats, or None if it is kept.

        Rows that are kept are added to the corpus before the next row is decided.
        """
        numbers, records = self._file.records_of(texts, self._plan)
        keys = self._keys(records)
        settled = self._index.settled(keys)
        batch = self._embeddings.batch(texts) if self._embeddings else None
        decisions = []
        for place, number in enumerate(numbers.tolist()):
            candidates = settled[place] | self._index.recent(keys[place].tolist())
            duplicate = self._first_similar(records[place], candidates)
            if duplicate is None and batch is not None:
                duplicate = batch.first_similar(place)
            if duplicate is None:
                self._index.add(keys[place], number)
                if batch is not None:
                    batch.keep(place)
            decisions.append(duplicate)
        self._index.settle()
        return decisions

    def sync(self) -> None:
        """Force the files to the disk."""
        for file in self._files:
            file.sync()

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    @property
    def _files(self) -> list[SignatureFile]:
        return [self._file, self._embeddings.file] if self._embeddings else [self._file]

    def _signatures(self, texts: Sequence[RowTexts]) -> Signatures:
        """Return the MinHash signatures of rows, (n, 2, permutations): of the instruction and of the response."""
        options = self._options
        signatures = np.zeros((len(texts), 2, options.permutations), np.uint16)
        for row, texts_of_row in enumerate(texts):
            for place, text in enumerate((texts_of_row.instruction, texts_of_row.response)):
                slots = signature(text, options.permutations, options.shingle_words, options.min_words)
                if slots is not None:
                    signatures[row, place] = slots
        return signatures

    def _keys(self, records: Records) -> Keys:
        """Return the keys of records, (n, keys): those of the bands of both texts, and those of their exact hashes."""
        bands = self._bands.keys(records["signatures"])
        return np.concatenate([bands, exact_keys(_compared_hashes(records))], axis=1)

    def _first_similar(self, record: np.void, candidates: set[int]) -> DuplicateOf | None:
        """Return the row that the row of `record` repeats among the kept records with the numbers `candidates`."""
        if not candidates:
            return None
        kept = self._file.read(np.fromiter(candidates, np.int64, len(candidates)))
        own_hashes = _compared_hashes(np.asarray(record)[None])
        equal = (_compared_hashes(kept) == own_hashes) & (own_hashes != 0)
        similarities = np.stack(
            [similarity(record["signatures"][text], kept["signatures"][:, text]) for text in range(2)], axis=1
        )
        similarities[equal] = 1.0
        first = first_similar(kept, similarities, self._options.threshold, record["index"], self._plan)
        if first is None:
            return None
        reason = DUPLICATE if equal[first].any() else NEAR_DUPLICATE
        return DuplicateOf.of(kept[first], similarities[first], reason)


def _compared_hashes(records: Records) -> NDArray[np.uint64]:
    """Return the text hashes of n records, (n, 2), with 0 for texts that are not compared.

    A response without a signature is too short to compare: a number or a name may answer many instructions.
    """
    hashes: NDArray[np.uint64] = records["hashes"].copy()
    hashes[~records["signatures"][:, 1].any(axis=1), 1] = 0
    return hashes
