"""The index from keys to the records that have them, for locality-sensitive hashing (LSH).

It takes 8 bytes a key, in sorted arrays. The hash tables of rensa and gaoya take 2.7 to 5 KiB a text, so that 10^6 rows
with two texts each do not fit into 4 GiB.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from skillmill.filters.dedup.minhash import RECORD_BITS, Keys

RECENT_KEYS = 2**17
"""Number of keys that are collected in a dict, about 20 MB, before they are merged into the sorted arrays."""

_RECORD_MASK = np.uint64(2**RECORD_BITS - 1)

Entries = NDArray[np.uint64]
"""Entries of the index, (entries,): a key shifted left by `RECORD_BITS`, plus the number of a record that has it."""


class BandIndex:
    """Finds the records that have a key.

    Recent keys are in a dict. Older ones are in sorted arrays, each at least twice as long as the next, so that an
    entry is merged a logarithmic number of times.
    """

    def __init__(self, recent_keys: int = RECENT_KEYS) -> None:
        self._recent_keys = recent_keys
        self._sorted: list[Entries] = []
        self._recent: dict[int, list[int]] = {}
        self._recent_entries: list[Entries] = []
        self._recent_count = 0

    def add(self, keys: Keys, record: int) -> None:
        """Add one record with these keys, (keys,); a key of 0 is ignored."""
        self._recent_entries.append(_entries(keys[None], np.array([record])))
        self._recent_count += len(self._recent_entries[-1])
        for key in keys[keys != 0].tolist():
            self._recent.setdefault(key, []).append(record)

    def add_many(self, keys: Keys, records: NDArray[np.int64]) -> None:
        """Add n records, (n,), with these keys, (n, keys), at once."""
        self._merge(_entries(keys, records))

    def recent(self, keys: Iterable[int]) -> set[int]:
        """Return the records added since the last merge that have one of the keys."""
        return {record for key in keys for record in self._recent.get(key, ())}

    def settled(self, keys: Keys) -> list[set[int]]:
        """Return, for each row of keys, (n, keys), the merged records that have one of them."""
        records: list[set[int]] = [set() for _ in keys]
        flat = keys.ravel()
        order = np.argsort(flat)  # sorted keys search neighbouring places, which halves the time in long arrays
        wanted, rows = flat[order] << np.uint64(RECORD_BITS), order // keys.shape[1]
        for entries in self._sorted:
            starts = np.searchsorted(entries, wanted)
            stops = np.searchsorted(entries, wanted | _RECORD_MASK, side="right")
            for place in np.flatnonzero((stops > starts) & (wanted > 0)).tolist():
                found = entries[starts[place] : stops[place]] & _RECORD_MASK
                records[rows[place]].update(found.tolist())
        return records

    def settle(self) -> None:
        """Merge the recent keys into the sorted arrays if there are enough of them."""
        if self._recent_count >= self._recent_keys:
            self._merge(np.concatenate(self._recent_entries))
            self._recent, self._recent_entries, self._recent_count = {}, [], 0

    def _merge(self, entries: Entries) -> None:
        entries.sort()
        while self._sorted and len(self._sorted[-1]) < 2 * len(entries):
            entries = np.concatenate([self._sorted.pop(), entries])
            entries.sort(kind="stable")  # merges the two sorted parts
        self._sorted.append(entries)


def _entries(keys: Keys, records: NDArray[np.int64]) -> Entries:
    """Return the entries of n records, (n,), with these keys, (n, keys)."""
    entries: Entries = (keys << np.uint64(RECORD_BITS)) | records.astype(np.uint64)[:, None]
    return np.asarray(entries[keys != 0])
