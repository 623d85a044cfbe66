"""Rank to subset: the combinatorial number system, over all skills, one category or different categories."""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from math import comb
from typing import Protocol

import numpy as np

_CAP = 2**63 - 1
"""Counts above every int64 rank are never reached in bulk, but must sort last: they are capped to this."""


class Unranking(Protocol):
    """`size` subsets of k positions, each at one rank; positions ascend."""

    size: int

    def __getitem__(self, rank: int) -> tuple[int, ...]: ...

    def bulk(self, ranks: np.ndarray) -> np.ndarray:
        """int64 ranks of shape (n,) to ascending int64 subsets of shape (n, k); sizes below 2^62 only."""
        ...


class AnySubset:
    """All k-subsets of range(n): n > c_k > … > c_1 >= 0."""

    def __init__(self, n: int, k: int) -> None:
        self.k, self.size = k, comb(n, k)
        # _below[j - 1][c] = C(c, j): how many j-subsets have all elements below c
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
    """The k-subsets inside one block each of range(sum(sizes)), which lies in blocks of `sizes`."""

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
        table = _capped(self._ranks)
        blocks = np.searchsorted(table, ranks, side="right") - 1
        return self._inside.bulk(ranks - table[blocks]) + np.array(self._first)[blocks, None]


class DifferentCategories:
    """The k-subsets with at most one element of each block of `sizes`.

    The number system of `AnySubset`, with elementary symmetric polynomials in the place of binomials: a
    j-subset whose last element is in block b leaves the choice of that element and of a (j - 1)-subset below b.
    """

    def __init__(self, sizes: Sequence[int], k: int) -> None:
        self.k = k
        self._first = [0, *accumulate(sizes)]
        # _below[j][b]: how many j-subsets lie in the blocks below b
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


def _capped(counts: Sequence[int]) -> np.ndarray:
    return np.array([min(count, _CAP) for count in counts], np.int64)
