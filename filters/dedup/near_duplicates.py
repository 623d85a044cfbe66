"""Near-duplicates, a corpus filter: rows come in index order, and the first of those that say the same is kept.

A row is compared with the rows that were kept, by its instruction and by its response. Equal texts are always found;
near ones by MinHash and LSH (`minhash.py`): the bands of all kept rows lie in memory, 8 bytes each, sorted, and what
shares one is compared slot by slot. (The LSH tables of rensa and gaoya took 2.7 to 5 KiB a text: 10^6 rows with two
texts each do not fit into 4 GiB.)
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rensa import RMinHash

from skillmill.data.reasons import Reason
from skillmill.filters.config import NearDuplicates
from skillmill.filters.dedup.embedding_index import Meanings
from skillmill.filters.dedup.matches import Match, first_near
from skillmill.filters.dedup.minhash import RECORD_BITS, Bands, exact_hashes, signature, similarity
from skillmill.filters.dedup.signatures import CHUNK, SignatureFile, Text, record_type

EMBEDDINGS = "embeddings.bin"
"""Beside the signatures."""
RECENT_KEYS = 2**17
"""So many keys are kept in a dict, about 20 MB, before they are sorted in among the others."""


class Corpus:
    """The kept rows of all plans. Rows of `plan` are decided against them; its lowest index wins, then other plans'.

    Rows of one cell (one index) are never duplicates of each other: an export takes one of them.
    With `semantic`, rows that words leave apart are compared by meaning too. Raises `ConfigError` where its model
    cannot be had.
    """

    def __init__(self, path: Path, options: NearDuplicates, plan: str) -> None:
        self._options, self._plan = options, int(plan[:8], 16)
        compared = options.model_dump(exclude={"enabled", "threshold", "semantic"})
        about = {"rensa": RMinHash.ALGORITHM_VERSION, **compared}
        self._meanings = Meanings(path.with_name(EMBEDDINGS), options, plan) if options.semantic else None
        self._file = SignatureFile(path, record_type(options.permutations), about, self._sign)
        self._bands = Bands.of(options.threshold, options.permutations)
        self._index = BandIndex()

    @property
    def made(self) -> int:
        """Signatures that were made and not found on the disk, in rows."""
        return sum(file.made for file in self._files)

    def unknown(self, rows: Iterable[int]) -> set[int]:
        """Those of the rows, by id, whose signatures are not on the disk."""
        rows = set(rows)
        return set[int]().union(*(file.unknown(rows) for file in self._files))

    def sign(self, texts: Sequence[Text], plan: str) -> None:
        """Put the signatures of a plan's rows on the disk."""
        for file in self._files:
            file.signed(texts, int(plan[:8], 16))

    def keep(self, rows: Iterable[int]) -> None:
        """Take rows that are kept already, by id, all with signatures on the disk, into the index."""
        rows = list(rows)
        numbers = np.array([self._file.number(row) for row in rows], np.int64)
        for start in range(0, len(numbers), CHUNK):
            part = numbers[start : start + CHUNK]
            self._index.add_many(self._keys(self._file.records(part)), part)
        if self._meanings:
            self._meanings.keep(rows)

    def decide(self, texts: Sequence[Text]) -> list[Match | None]:
        """What each row repeats, in index order; None where it is kept, and counts for the rows after it."""
        numbers, records = self._file.signed(texts, self._plan)
        keys = self._keys(records)
        older, matches = self._index.settled(keys), []
        meant = self._meanings.batch(texts) if self._meanings else None
        for place, (record, number, own, known) in enumerate(zip(records, numbers.tolist(), keys, older, strict=True)):
            match = self._first(record, known | self._index.recent(own.tolist()))
            if match is None and meant is not None:
                match = meant.first(place)
            if match is None:
                self._index.add(own, number)
                if meant is not None:
                    meant.keep(place)
            matches.append(match)
        self._index.settle()
        return matches

    def sync(self) -> None:
        for file in self._files:
            file.sync()

    def close(self) -> None:
        for file in self._files:
            file.close()

    @property
    def _files(self) -> list[SignatureFile]:
        return [self._file, self._meanings.file] if self._meanings else [self._file]

    def _sign(self, texts: Sequence[Text]) -> np.ndarray:
        options = self._options
        made = np.zeros((len(texts), 2, options.permutations), np.uint16)
        for row, text in zip(made, texts, strict=True):
            for place, words in enumerate((text.instruction, text.response)):
                found = signature(words, options.permutations, options.shingle_words, options.min_words)
                if found is not None:
                    row[place] = found
        return made

    def _keys(self, records: np.ndarray) -> np.ndarray:
        """By what records find each other, (n, keys): the bands of both texts, and their exact hashes; 0 is none."""
        return np.concatenate([self._bands.hashes(records["signatures"]), exact_hashes(_hashes(records))], axis=1)

    def _first(self, record: Any, candidates: set[int]) -> Match | None:
        if not candidates:
            return None
        kept = self._file.records(np.fromiter(candidates, np.int64, len(candidates)))
        own = _hashes(record[None])
        equal = (_hashes(kept) == own) & (own != 0)
        near = np.stack([similarity(record["signatures"][i], kept["signatures"][:, i]) for i in range(2)], axis=1)
        near[equal] = 1.0
        first = first_near(kept, near, self._options.threshold, record["index"], self._plan)
        if first is None:
            return None
        return Match.of(kept[first], near[first], Reason.DUPLICATE if equal[first].any() else Reason.NEAR_DUPLICATE)


def _hashes(records: np.ndarray) -> np.ndarray:
    """The hashes that count, (n, 2): a response too short for a signature, a number or a name, may answer many."""
    hashes = records["hashes"].copy()
    hashes[~records["signatures"][:, 1].any(axis=1), 1] = 0
    return hashes


class BandIndex:
    """Which records have a key. Old keys lie in sorted arrays, each at least twice as long as the next."""

    def __init__(self, recent_keys: int = RECENT_KEYS) -> None:
        self._recent_keys = recent_keys
        self._runs: list[np.ndarray] = []
        self._recent: dict[int, list[int]] = {}
        self._waiting: list[np.ndarray] = []
        self._count = 0

    def add(self, keys: np.ndarray, record: int) -> None:
        """Add one record that has these keys; 0 is none."""
        self._waiting.append(_packed(keys[None], np.array([record])))
        self._count += len(self._waiting[-1])
        for key in keys[keys != 0].tolist():
            self._recent.setdefault(key, []).append(record)

    def add_many(self, keys: np.ndarray, records: np.ndarray) -> None:
        """Add keys (n, keys) of n records at once."""
        self._merge(_packed(keys, records))

    def recent(self, keys: Iterable[int]) -> set[int]:
        """The records that were added since `settle` did its work and have one of the keys."""
        return {record for key in keys for record in self._recent.get(key, ())}

    def settled(self, keys: np.ndarray) -> list[set[int]]:
        """For each row of keys (n, keys), the older records that have one of them."""
        found: list[set[int]] = [set() for _ in keys]
        flat = keys.ravel()
        order = np.argsort(flat)  # neighbours look in the same places: in a long array half the time
        wanted, rows = flat[order] << np.uint64(RECORD_BITS), order // keys.shape[1]
        for run in self._runs:
            starts = np.searchsorted(run, wanted)
            stops = np.searchsorted(run, wanted | np.uint64(2**RECORD_BITS - 1), side="right")
            for place in np.flatnonzero((stops > starts) & (wanted > 0)).tolist():
                records = run[starts[place] : stops[place]] & np.uint64(2**RECORD_BITS - 1)
                found[rows[place]].update(records.tolist())
        return found

    def settle(self) -> None:
        """Sort recent keys in among the older ones, if there are enough of them."""
        if self._count >= self._recent_keys:
            self._merge(np.concatenate(self._waiting))
            self._recent, self._waiting, self._count = {}, [], 0

    def _merge(self, run: np.ndarray) -> None:
        run.sort()
        while self._runs and len(self._runs[-1]) < 2 * len(run):
            run = np.concatenate([self._runs.pop(), run])
            run.sort(kind="stable")  # which merges what is sorted already
        self._runs.append(run)


def _packed(keys: np.ndarray, records: np.ndarray) -> np.ndarray:
    packed = (keys << np.uint64(RECORD_BITS)) | records.astype(np.uint64)[:, None]
    return packed[keys != 0]
