"""Which cells of a space are skipped: pairs of one and the same skill, and all but a weighted share of the rest.

A cell's chance to stay is the product of its skills' weights over the largest such product, against a keyed hash
of its position: no cell can come twice, and the same seed keeps the same cells.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from skillmill.skill_taxonomy.draw.permutation import mixed, mixed_bulk
from skillmill.skill_taxonomy.sets import DisjointSets
from skillmill.skill_taxonomy.taxonomy import Skill, canonical

CategoryMix = Literal["any", "same", "different"]

_MASK = 2**64 - 1
_SPARE_BITS, _UNIT = 11, 2.0**-53  # a float holds 53 of 64 bits exactly


@dataclass(frozen=True)
class Thinning:
    """`weights` and `same` (equal for skills that are one) per skill, the `largest` product per k, a 64-bit `key`."""

    weights: np.ndarray
    same: np.ndarray
    largest: dict[int, float]
    key: int

    def keeps(self, index: int, subset: Sequence[int]) -> bool:
        """Whether the cell at position `index` stays."""
        if len({self.same[i] for i in subset}) < len(subset):
            return False
        product = 1.0
        for i in subset:
            product *= float(self.weights[i])
        chance = (mixed(mixed(index & _MASK) ^ self.key) >> _SPARE_BITS) * _UNIT
        return chance * self.largest[len(subset)] < product

    def keeps_bulk(self, indices: np.ndarray, subsets: np.ndarray) -> np.ndarray:
        """The same for int64 indices of shape (n,) and subsets of shape (n, k): bools of shape (n,)."""
        k = subsets.shape[1]
        same = self.same[subsets]
        clash = np.zeros(len(subsets), bool)
        for i, j in combinations(range(k), 2):
            clash |= same[:, i] == same[:, j]
        product = np.ones(len(subsets))
        for column in subsets.T:  # in the order of the scalar loop: the same rounding
            product *= self.weights[column]
        bits = mixed_bulk(mixed_bulk(indices.astype(np.uint64)) ^ np.uint64(self.key))
        chances = (bits >> np.uint64(_SPARE_BITS)) * _UNIT
        kept: np.ndarray = ~clash & (chances * self.largest[k] < product)
        return kept


def same_skills(skills: Iterable[Skill]) -> np.ndarray:
    """A number per skill, equal where two share a name or an alias, also by way of a third."""
    names = [{canonical(name) for name in (skill.name, *skill.aliases)} for skill in skills]
    sets = DisjointSets(len(names))
    owner: dict[str, int] = {}
    for i, mine in enumerate(names):
        for name in mine:
            sets.join(i, owner.setdefault(name, i))
    return np.array(sets.roots(), np.int64)


def products(weights: np.ndarray, blocks: Sequence[int], k: int, categories: CategoryMix) -> tuple[float, float]:
    """The sum and the largest of the products of weights, over the k-subsets that `categories` allows.

    `weights` lie in neighbouring blocks, one a category; there is at least one such subset.
    """
    if categories == "any":
        return _symmetric(weights, k), _top(weights, k)
    parts = np.split(weights, np.cumsum(blocks)[:-1])
    if categories == "different":
        return _symmetric(np.array([part.sum() for part in parts]), k), _top(np.array([p.max() for p in parts]), k)
    large = [part for part in parts if len(part) >= k]
    return sum(_symmetric(part, k) for part in large), max(_top(part, k) for part in large)


def _symmetric(weights: np.ndarray, k: int) -> float:
    """The elementary symmetric polynomial of degree k: all k-subsets' products, summed."""
    sums = np.zeros(k + 1)
    sums[0] = 1.0
    for weight in weights:
        sums[1:] += weight * sums[:-1]
    return float(sums[k])


def _top(weights: np.ndarray, k: int) -> float:
    return float(np.prod(np.sort(weights)[-k:]))
