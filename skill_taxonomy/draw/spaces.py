"""All cells of one k in a random order: as one permutation, or balanced, each query type or topic in turn."""

from dataclasses import dataclass
from random import Random
from typing import Protocol

import numpy as np

from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.skill_taxonomy.draw.permutation import Permutation, permutation
from skillmill.skill_taxonomy.draw.unranking import Unranking

BULK_SIZE = 2**62
"""Larger spaces have ranks that int64 arithmetic does not hold."""


class Space(Protocol):
    """`size` cells, each at one place: k positions of skills, ascending, and one of what they are about."""

    @property
    def subsets(self) -> Unranking: ...

    @property
    def size(self) -> int: ...

    def __getitem__(self, i: int) -> tuple[tuple[int, ...], int]: ...

    def bulk(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """int64 places of shape (n,) to int64 subsets of shape (n, k) and abouts of shape (n,)."""
        ...


@dataclass(frozen=True)
class Mixed:
    """A permutation of subset rank x what they are about: every about as often as a fair die shows it."""

    subsets: Unranking
    abouts: int
    order: Permutation

    @property
    def size(self) -> int:
        return self.order.size

    def __getitem__(self, i: int) -> tuple[tuple[int, ...], int]:
        rank, about = divmod(self.order[i], self.abouts)
        return self.subsets[rank], about

    def bulk(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.size > BULK_SIZE:
            return _one_by_one(self, indices)
        ranks, abouts = np.divmod(self.order.bulk(indices), self.abouts)
        return self.subsets.bulk(ranks), abouts


@dataclass(frozen=True)
class Balanced:
    """Each about once in every block of as many places as there are, in the order of `turns`.

    `orders` has a permutation of the subsets' ranks for each about, so that no cell comes twice.
    """

    subsets: Unranking
    turns: tuple[int, ...]
    orders: tuple[Permutation, ...]

    @property
    def size(self) -> int:
        return self.subsets.size * len(self.turns)

    def __getitem__(self, i: int) -> tuple[tuple[int, ...], int]:
        block, place = divmod(i, len(self.turns))
        about = self.turns[place]
        return self.subsets[self.orders[about][block]], about

    def bulk(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.size > BULK_SIZE:
            return _one_by_one(self, indices)
        blocks, places = np.divmod(indices, len(self.turns))
        abouts = np.array(self.turns)[places]
        ranks = np.empty_like(blocks)
        for about, order in enumerate(self.orders):
            rows = np.nonzero(abouts == about)[0]
            ranks[rows] = order.bulk(blocks[rows])
        return self.subsets.bulk(ranks), abouts


def space_of(subsets: Unranking, abouts: int, balanced: bool, *key: object) -> Space:
    """The order of the subsets x abouts that belongs to `key`. Raises `ValueError` for more than 2^126 cells."""
    if not balanced:
        return Mixed(subsets, abouts, permutation(subsets.size * abouts, *key))
    turns = list(range(abouts))
    Random(derived_seed("turns", *key)).shuffle(turns)  # noqa: S311 (a draw, not a secret)
    orders = tuple(permutation(subsets.size, *key, about) for about in range(abouts))
    return Balanced(subsets, tuple(turns), orders)


def _one_by_one(cells: Space, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = [cells[i] for i in indices.tolist()]
    return np.array([subset for subset, _ in found]), np.array([about for _, about in found])
