"""Near-duplicates, a corpus filter: rows come in index order, and the first of those that say the same is kept.

A row is compared with the rows that were kept, by its instruction and by its response. Equal texts are always found;
near ones by MinHash and LSH (`minhash.py`): the bands of all kept rows lie in memory, 8 bytes each, sorted, and what
shares one is compared slot by slot. (The LSH tables of rensa and gaoya took 2.7 to 5 KiB a text: 10^6 rows with two
texts each do not fit into 4 GiB.)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rensa import RMinHash

from skillmill.filters.config import NearDuplicates
from skillmill.filters.minhash import RECORD_BITS, Bands, exact_hashes, signature, similarity, text_hash
from skillmill.filters.signatures import CHUNK, SignatureFile

RECENT_KEYS = 2**17
"""So many keys are kept in a dict, about 20 MB, before they are sorted in among the others."""


@dataclass(frozen=True, slots=True)
class Text:
    """What is compared of a row. `row` is its id as a number; an empty text is compared with none."""

    row: int
    index: int
    instruction: str
    response: str


@dataclass(frozen=True, slots=True)
class Match:
    """The kept row that a row repeats, and how near their texts are: Jaccard similarity, 1 for equal ones.

    `plan`: the first 8 hex digits of the kept row's, as a number.
    """

    plan: int
    index: int
    instruction: float
    response: float
    exact: bool


class Corpus:
    """The kept rows of all plans. Rows of `plan` are decided against them; its lowest index wins, then other plans'.

    Rows of one cell (one index) are never duplicates of each other: an export takes one of them.
    """

    def __init__(self, path: Path, options: NearDuplicates, plan: str) -> None:
        self._options, self._plan = options, int(plan[:8], 16)
        compared = options.model_dump(exclude={"enabled", "threshold"})
        self._file = SignatureFile(path, options.permutations, {"rensa": RMinHash.ALGORITHM_VERSION, **compared})
        self._bands = Bands.of(options.threshold, options.permutations)
        self._index = BandIndex()
        self.made = 0
        """Signatures that were made and not found on the disk, in rows."""

    def unknown(self, rows: Iterable[int]) -> set[int]:
        """Those of the rows, by id, whose signatures are not on the disk."""
        return {row for row in rows if self._file.number(row) is None}

    def sign(self, texts: Sequence[Text], plan: str) -> None:
        """Put the signatures of a plan's rows on the disk."""
        self._records(texts, int(plan[:8], 16))

    def keep(self, rows: Iterable[int]) -> None:
        """Take rows that are kept already, by id, all with signatures on the disk, into the index."""
        numbers = np.array([self._file.number(row) for row in rows], np.int64)
        for start in range(0, len(numbers), CHUNK):
            part = numbers[start : start + CHUNK]
            self._index.add_many(self._keys(self._file.records(part)), part)

    def decide(self, texts: Sequence[Text]) -> list[Match | None]:
        """What each row repeats, in index order; None where it is kept, and counts for the rows after it."""
        numbers, records = self._records(texts, self._plan)
        keys = self._keys(records)
        older, matches = self._index.settled(keys), []
        for record, number, own, known in zip(records, numbers.tolist(), keys, older, strict=True):
            match = self._first(record, known | self._index.recent(own.tolist()))
            if match is None:
                self._index.add(own, number)
            matches.append(match)
        self._index.settle()
        return matches

    def sync(self) -> None:
        self._file.sync()

    def close(self) -> None:
        self._file.close()

    def _records(self, texts: Sequence[Text], plan: int) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the rows' records, and those; one that the file has not, or has of other texts, is written."""
        pairs = [[text_hash(text) if text else 0 for text in (row.instruction, row.response)] for row in texts]
        hashes = np.array(pairs, np.uint64).reshape(len(texts), 2)
        known = [self._file.number(row.row) for row in texts]
        numbers = np.array([-1 if number is None else number for number in known], np.int64)
        records = np.zeros(len(texts), self._file.type)
        if (numbers >= 0).any():
            records[numbers >= 0] = self._file.records(numbers[numbers >= 0])
        new = (numbers < 0) | (records["hashes"] != hashes).any(axis=1)
        if new.any():
            records[new] = np.zeros(1, self._file.type)
            records["plan"][new], records["hashes"][new] = plan, hashes[new]
            for place in np.flatnonzero(new).tolist():
                self._describe(records[place], texts[place])
            numbers[new] = self._file.append(records[new])
            self.made += int(new.sum())
        return numbers, records

    def _describe(self, record: Any, text: Text) -> None:
        options = self._options
        record["id"], record["index"] = text.row, text.index
        for place, words in enumerate((text.instruction, text.response)):
            made = signature(words, options.permutations, options.shingle_words, options.min_words)
            if made is not None:
                record["signatures"][place] = made

    def _keys(self, records: np.ndarray) -> np.ndarray:
        """By what records find each other, (n, keys): the bands of both texts, and their exact hashes; 0 is none."""
        return np.concatenate([self._bands.hashes(records["signatures"]), exact_hashes(_hashes(records))], axis=1)

    def _first(self, record: Any, candidates: set[int]) -> Match | None:
        if not candidates:
            return None
        kept = self._file.records(np.fromiter(candidates, np.int64, len(candidates)))
        kept = kept[(kept["plan"] != self._plan) | (kept["index"] != record["index"])]
        own = _hashes(record[None])
        equal = (_hashes(kept) == own) & (own != 0)
        near = np.stack([similarity(record["signatures"][i], kept["signatures"][:, i]) for i in range(2)], axis=1)
        near[equal] = 1.0
        hits = np.flatnonzero((near >= self._options.threshold).any(axis=1))
        if not len(hits):
            return None
        found = kept[hits]
        first = hits[np.lexsort((found["id"], found["index"], found["plan"], found["plan"] != self._plan))[0]]
        instruction, response = near[first].tolist()
        exact = bool(equal[first].any())
        return Match(int(kept["plan"][first]), int(kept["index"][first]), instruction, response, exact)


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
