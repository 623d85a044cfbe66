"""Subsets of skills by rank: over all skills, one or different categories, or with a skill of a given category."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from math import comb
from typing import Protocol

import numpy as np

_CAP = 2**63 - 1
"""The value that replaces larger counts in int64 tables: no int64 rank reaches them, and they still sort last."""


class Unranking(Protocol):
    """A sequence of `size` different subsets of k positions in ascending order, by rank."""

    size: int

    def __getitem__(self, rank: int) -> tuple[int, ...]: ...

    def bulk(self, ranks: np.ndarray) -> np.ndarray:
        """Return the subsets at int64 ranks of shape (n,), as int64 of shape (n, k); for sizes below 2^62."""
        ...


class AnySubset:
    """All k-subsets of range(n), by rank sum(C(c_j, j)) over the elements c_1 < … < c_k."""

    def __init__(self, n: int, k: int) -> None:
        self.k, self.size = k, comb(n, k)
        # _below[j - 1][c] = C(c, j), the number of j-subsets of range(c)
        self._below = [[comb(c, j) for c in range(n + 1)] for j in range(1, k + 1)]
        self._downward = self._below[::-1]

    def __getitem__(self, rank: int) -> tuple[int, ...]:
        subset = []
        for row in self._downward:
            c = bisect_right(row, rank) - 1
            rank -= row[c]
            subset.append(c)
        subset.reverse()
        return tuple(subset)

    def bulk(self, ranks: np.ndarray) -> np.ndarray:
        """Return the subsets at int64 ranks of shape (n,), as int64 of shape (n, k)."""
        ranks = ranks.copy()
        subsets = np.empty((len(ranks), self.k), np.int64)
        for j in reversed(range(self.k)):
            row = self._tables[j]
            subsets[:, j] = np.searchsorted(row, ranks, side="right") - 1
            ranks -= row[subsets[:, j]]
        return subsets

    @cached_property
    def _tables(self) -> list[np.ndarray]:
        return [_capped(row) for row in self._below]


class OneCategory:
    """The k-subsets within one category. Positions are grouped by category; `sizes` are those of the categories."""

    def __init__(self, sizes: Sequence[int], k: int) -> None:
        self._inside = AnySubset(max(sizes), k)
        self._first = [0, *accumulate(sizes)]
        self._ranks = [0, *accumulate(comb(size, k) for size in sizes)]
        self.size = self._ranks[-1]

    def __getitem__(self, rank: int) -> tuple[int, ...]:
        block = bisect_right(self._ranks, rank) - 1
        first = self._first[block]
        return tuple(first + c for c in self._inside[rank - self._ranks[block]])

    def bulk(self, ranks: np.ndarray) -> np.ndarray:
        """Return the subsets at int64 ranks of shape (n,), as int64 of shape (n, k)."""
        table = _capped(self._ranks)
        blocks = np.searchsorted(table, ranks, side="right") - 1
        subsets: np.ndarray = self._inside.bulk(ranks - table[blocks]) + np.array(self._first)[blocks, None]
        return subsets


class DifferentCategories:
    """The k-subsets with at most one element of each category. Positions are grouped by category, of sizes `sizes`.

    The number system is that of `AnySubset` with elementary symmetric polynomials in place of binomials: for a
    j-subset whose last element is in block b, the rank encodes this element and a (j - 1)-subset of the blocks below b.
    """

    def __init__(self, sizes: Sequence[int], k: int) -> None:
        self.k = k
        self._first = [0, *accumulate(sizes)]
        # _below[j][b] is the number of j-subsets of the blocks below b
        self._below = [[1] * (len(sizes) + 1)]
        for _ in range(k):
            shorter = self._below[-1]
            self._below.append([0, *accumulate(size * shorter[b] for b, size in enumerate(sizes))])
        self.size = self._below[k][-1]

    def __getitem__(self, rank: int) -> tuple[int, ...]:
        subset = []
        for j in range(self.k, 0, -1):
            row = self._below[j]
            block = bisect_right(row, rank) - 1
            member, rank = divmod(rank - row[block], self._below[j - 1][block])
            subset.append(self._first[block] + member)
        subset.reverse()
        return tuple(subset)

    def bulk(self, ranks: np.ndarray) -> np.ndarray:
        """Return the subsets at int64 ranks of shape (n,), as int64 of shape (n, k)."""
        subsets = np.empty((len(ranks), self.k), np.int64)
        first = np.array(self._first)
        for j in range(self.k, 0, -1):
            row, shorter = self._tables[j], self._tables[j - 1]
            blocks = np.searchsorted(row, ranks, side="right") - 1
            members, ranks = np.divmod(ranks - row[blocks], shorter[blocks])
            subsets[:, j - 1] = first[blocks] + members
        return subsets

    @cached_property
    def _tables(self) -> list[np.ndarray]:
        return [_capped(row) for row in self._below]


class TouchingCategory:
    """The k-subsets with at least one element of the category at positions [first, first + size).

    The subsets with j elements in the category come one j after the other. The rank within them encodes a j-subset of
    the category and a subset of the other positions, which are numbered as if the category were not there.

    Attributes:
        size: The number of subsets.
    """

    def __init__(self, first: int, size: int, outside: Sequence[tuple[int, Unranking]]) -> None:
        """`outside` are pairs of j and the subsets of the other positions that go with j elements of the category."""
        self._first, self._length = first, size
        self._parts = [(AnySubset(size, j), others) for j, others in outside]
        self._ranks = [0, *accumulate(inside.size * others.size for inside, others in self._parts)]
        self.size = self._ranks[-1]

    def __getitem__(self, rank: int) -> tuple[int, ...]:
        part = bisect_right(self._ranks, rank) - 1
        inside, others = self._parts[part]
        within, without = divmod(rank - self._ranks[part], others.size)
        members = [self._first + c for c in inside[within]]
        members += [c + self._length * (c >= self._first) for c in others[without]]
        return tuple(sorted(members))

    def bulk(self, ranks: np.ndarray) -> np.ndarray:
        """Return the subsets at int64 ranks of shape (n,), as int64 of shape (n, k)."""
        table = _capped(self._ranks)
        parts = np.searchsorted(table, ranks, side="right") - 1
        subsets: np.ndarray | None = None
        for part, (inside, others) in enumerate(self._parts):
            rows = np.nonzero(parts == part)[0]
            within, without = np.divmod(ranks[rows] - table[part], max(others.size, 1))
            rest = others.bulk(without)
            members = np.hstack([inside.bulk(within) + self._first, rest + self._length * (rest >= self._first)])
            if subsets is None:
                subsets = np.empty((len(ranks), members.shape[1]), np.int64)
            subsets[rows] = np.sort(members, axis=1)
        assert subsets is not None
        return subsets


def _capped(counts: Sequence[int]) -> np.ndarray:
    """Return the counts as int64, limited to `_CAP`."""
    return np.array([min(count, _CAP) for count in counts], np.int64)
