"""All cells of one k in a random order: as one permutation, or balanced over topics or query types.

A theme is the topic (Skill-Mix) or the query type (Instruct-SkillMix) of a cell. A query type may go with some of the
subsets only, so each theme has subsets of its own in `ThemedSpace` and `BalancedSpace`.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from random import Random
from typing import Protocol

import numpy as np

from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.skill_taxonomy.draw.permutation import Permutation, permutation
from skillmill.skill_taxonomy.draw.unranking import Unranking

MAX_BULK_SIZE = 2**62
"""The largest space whose ranks int64 arithmetic can hold."""


class Space(Protocol):
    """A sequence of `size` different cells: at each position k ascending skill numbers and one theme number."""

    @property
    def size(self) -> int:
        """The number of cells."""
        ...

    def __getitem__(self, i: int) -> tuple[tuple[int, ...], int]: ...

    def bulk(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells at int64 positions of shape (n,): int64 subsets (n, k) and int64 themes (n,)."""
        ...


@dataclass(frozen=True)
class ShuffledSpace:
    """Pairs of a subset and a theme in the order of one permutation; themes are uniform only on average.

    Attributes:
        subsets: The subsets of skills.
        themes: The number of themes.
        order: The permutation of all pairs.
    """

    subsets: Unranking
    themes: int
    order: Permutation

    @property
    def size(self) -> int:
        """The number of cells."""
        return self.order.size

    def __getitem__(self, i: int) -> tuple[tuple[int, ...], int]:
        rank, theme = divmod(self.order[i], self.themes)
        return self.subsets[rank], theme

    def bulk(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells at int64 positions of shape (n,): int64 subsets (n, k) and int64 themes (n,)."""
        if self.size > MAX_BULK_SIZE:
            return _one_by_one(self, indices)
        ranks, themes = np.divmod(self.order.bulk(indices), self.themes)
        return self.subsets.bulk(ranks), themes


@dataclass(frozen=True)
class ThemedSpace:
    """Pairs of a theme and one of its subsets in the order of one permutation.

    Attributes:
        subsets: The subsets of skills of each theme.
        order: The permutation of all pairs.
    """

    subsets: tuple[Unranking, ...]
    order: Permutation

    @property
    def size(self) -> int:
        """The number of cells."""
        return self.order.size

    @cached_property
    def _ranks(self) -> list[int]:
        """The rank of the first pair of each theme."""
        return [0, *accumulate(subsets.size for subsets in self.subsets)]

    def __getitem__(self, i: int) -> tuple[tuple[int, ...], int]:
        rank = self.order[i]
        theme = bisect_right(self._ranks, rank) - 1
        return self.subsets[theme][rank - self._ranks[theme]], theme

    def bulk(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells at int64 positions of shape (n,): int64 subsets (n, k) and int64 themes (n,)."""
        if self.size > MAX_BULK_SIZE:
            return _one_by_one(self, indices)
        ranks, table = self.order.bulk(indices), np.array(self._ranks)
        themes = np.searchsorted(table, ranks, side="right") - 1
        return _bulk_of_themes(self.subsets, ranks - table[themes], themes), themes


@dataclass(frozen=True)
class BalancedSpace:
    """Blocks of positions in which each theme that has subsets occurs once, until one theme has no more of them.

    Attributes:
        subsets: The subsets of skills of each theme.
        turns: The theme at each position of a block.
        orders: A permutation of the subsets of each theme, so that no cell repeats.
    """

    subsets: tuple[Unranking, ...]
    turns: tuple[int, ...]
    orders: Mapping[int, Permutation]

    @property
    def size(self) -> int:
        """The number of cells."""
        return min(self.subsets[theme].size for theme in self.turns) * len(self.turns)

    def __getitem__(self, i: int) -> tuple[tuple[int, ...], int]:
        block, place = divmod(i, len(self.turns))
        theme = self.turns[place]
        return self.subsets[theme][self.orders[theme][block]], theme

    def bulk(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells at int64 positions of shape (n,): int64 subsets (n, k) and int64 themes (n,)."""
        if self.size > MAX_BULK_SIZE:
            return _one_by_one(self, indices)
        blocks, places = np.divmod(indices, len(self.turns))
        themes = np.array(self.turns)[places]
        ranks = np.empty_like(blocks)
        for theme, order in self.orders.items():
            rows = np.nonzero(themes == theme)[0]
            ranks[rows] = order.bulk(blocks[rows])
        return _bulk_of_themes(self.subsets, ranks, themes), themes


def space_of(subsets: Sequence[Unranking], balanced: bool, *key: object) -> Space:
    """Return the cells of the themes, each with its own `subsets`, in the random order for the key.

    At least one theme has a subset. Raises `ValueError` for more than 2^126 cells.
    """
    if balanced:
        turns = [theme for theme, of_theme in enumerate(subsets) if of_theme.size]
        Random(derived_seed("turns", *key)).shuffle(turns)  # noqa: S311 (a draw, not a secret)
        orders = {theme: permutation(subsets[theme].size, *key, theme) for theme in sorted(turns)}
        return BalancedSpace(tuple(subsets), tuple(turns), orders)
    order = permutation(sum(of_theme.size for of_theme in subsets), *key)
    if all(of_theme is subsets[0] for of_theme in subsets):
        return ShuffledSpace(subsets[0], len(subsets), order)
    return ThemedSpace(tuple(subsets), order)


def _bulk_of_themes(subsets: Sequence[Unranking], ranks: np.ndarray, themes: np.ndarray) -> np.ndarray:
    """Return the subsets at int64 ranks of shape (n,) among those of their themes, as int64 of shape (n, k)."""
    if all(of_theme is subsets[0] for of_theme in subsets):
        return subsets[0].bulk(ranks)
    rows_of = {theme: np.nonzero(themes == theme)[0] for theme in np.unique(themes).tolist()}
    found = {theme: subsets[theme].bulk(ranks[rows]) for theme, rows in rows_of.items()}
    k = next((each.shape[1] for each in found.values()), 0)
    chosen = np.empty((len(ranks), k), np.int64)
    for theme, rows in rows_of.items():
        chosen[rows] = found[theme]
    return chosen


def _one_by_one(space: Space, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what `space.bulk` does, in Python integers of any size."""
    cells = [space[i] for i in indices.tolist()]
    return np.array([subset for subset, _ in cells]), np.array([theme for _, theme in cells])
