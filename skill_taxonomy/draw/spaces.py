"""All cells of one k in a random order: as one permutation, or balanced over topics or query types.

A theme is the topic (Skill-Mix) or the query type (Instruct-SkillMix) of a cell.
"""

from dataclasses import dataclass
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
    def subsets(self) -> Unranking:
        """The subsets of skills that the cells combine with themes."""
        ...

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
class BalancedSpace:
    """Blocks of positions in which each theme occurs once.

    Attributes:
        subsets: The subsets of skills.
        turns: The theme at each position of a block.
        orders: A permutation of the subsets for each theme, so that no cell repeats.
    """

    subsets: Unranking
    turns: tuple[int, ...]
    orders: tuple[Permutation, ...]

    @property
    def size(self) -> int:
        """The number of cells."""
        return self.subsets.size * len(self.turns)

    def __getitem__(self, i: int) -> tuple[tuple[int, ...], int]:
        block, place = divmod(i, len(self.turns))
        theme = self.turns[place]
        return self.subsets[self.orders[theme][block]], theme

    def bulk(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells at int64 positions of shape (n,): int64 subsets (n, k) and int64 themes (n,)."""
        if self.size > MAX_BULK_SIZE:
            return _one_by_one(self, indices)
        blocks, places = np.divmod(indices, len(self.turns))
        themes = np.array(self.turns)[places]
        ranks = np.empty_like(blocks)
        for theme, order in enumerate(self.orders):
            rows = np.nonzero(themes == theme)[0]
            ranks[rows] = order.bulk(blocks[rows])
        return self.subsets.bulk(ranks), themes


def space_of(subsets: Unranking, themes: int, balanced: bool, *key: object) -> Space:
    """Return the cells of the subsets and `themes` themes, in the random order for the key.

    Raises `ValueError` for more than 2^126 cells.
    """
    if not balanced:
        return ShuffledSpace(subsets, themes, permutation(subsets.size * themes, *key))
    turns = list(range(themes))
    Random(derived_seed("turns", *key)).shuffle(turns)  # noqa: S311 (a draw, not a secret)
    orders = tuple(permutation(subsets.size, *key, theme) for theme in range(themes))
    return BalancedSpace(subsets, tuple(turns), orders)


def _one_by_one(space: Space, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what `space.bulk` does, in Python integers of any size."""
    cells = [space[i] for i in indices.tolist()]
    return np.array([subset for subset, _ in cells]), np.array([theme for _, theme in cells])
