"""The cells of a space that a plan skips: those with one skill under two names, and by weight a share of the others.

A cell is kept with a probability of the product of its skills' weights over the largest such product. A keyed hash of
the position decides, so that no cell repeats and one seed always keeps the same cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from skillmill.skill_taxonomy.draw.permutation import mix64, mix64_bulk

CategoryMix = Literal["any", "same", "different"]
"""The categories that the skills of one cell may have."""

_MASK = 2**64 - 1
_SPARE_BITS, _UNIT = 11, 2.0**-53  # a float holds 53 of 64 bits exactly


@dataclass(frozen=True)
class Thinning:
    """Decides which cells of a plan are kept.

    Attributes:
        weights: The weight of each skill.
        groups: The number of the group of same skills of each skill (`same_skills.same_skill_groups`).
        largest: For each k, the product of weights at which a cell is always kept.
        key: The 64-bit key of the hash of positions.
    """

    weights: np.ndarray
    groups: np.ndarray
    largest: dict[int, float]
    key: int

    def keeps(self, index: int, subset: Sequence[int]) -> bool:
        """Return whether the cell with the skills `subset` at position `index` is kept."""
        if len({self.groups[i] for i in subset}) < len(subset):
            return False
        product = 1.0
        for i in subset:
            product *= float(self.weights[i])
        chance = (mix64(mix64(index & _MASK) ^ self.key) >> _SPARE_BITS) * _UNIT
        return chance * self.largest[len(subset)] < product

    def keeps_bulk(self, indices: np.ndarray, subsets: np.ndarray) -> np.ndarray:
        """Return `keeps` for int64 positions of shape (n,) and subsets of shape (n, k): bools of shape (n,)."""
        k = subsets.shape[1]
        groups = self.groups[subsets]
        clash = np.zeros(len(subsets), bool)
        for i, j in combinations(range(k), 2):
            clash |= groups[:, i] == groups[:, j]
        product = np.ones(len(subsets))
        for column in subsets.T:  # multiplied in the order of `keeps`, for the same rounding
            product *= self.weights[column]
        bits = mix64_bulk(mix64_bulk(indices.astype(np.uint64)) ^ np.uint64(self.key))
        chances = (bits >> np.uint64(_SPARE_BITS)) * _UNIT
        kept: np.ndarray = ~clash & (chances * self.largest[k] < product)
        return kept


def weight_products(weights: np.ndarray, blocks: Sequence[int], k: int, categories: CategoryMix) -> tuple[float, float]:
    """Return the sum and the maximum of the products of weights over the k-subsets that `categories` allows.

    `weights` are grouped by category, and `blocks` are the sizes of the categories. At least one subset is allowed.
    """
    if categories == "any":
        return _sum_of_products(weights, k), _largest_product(weights, k)
    parts = np.split(weights, np.cumsum(blocks)[:-1])
    if categories == "different":
        sums, maxima = np.array([part.sum() for part in parts]), np.array([part.max() for part in parts])
        return _sum_of_products(sums, k), _largest_product(maxima, k)
    large = [part for part in parts if len(part) >= k]
    return sum(_sum_of_products(part, k) for part in large), max(_largest_product(part, k) for part in large)


def products_touching(weights: np.ndarray, blocks: Sequence[int], k: int, categories: CategoryMix, block: int) -> float:
    """Return the sum of the products of weights over the allowed k-subsets with a skill of the category `block`."""
    parts = np.split(weights, np.cumsum(blocks)[:-1])
    inside, outside = parts[block], parts[:block] + parts[block + 1 :]
    if categories == "same":
        return _sum_of_products(inside, k)
    if categories == "different":
        return float(inside.sum()) * _sum_of_products(np.array([part.sum() for part in outside]), k - 1)
    others = np.concatenate([*outside, np.empty(0)])
    return sum(_sum_of_products(inside, j) * _sum_of_products(others, k - j) for j in range(1, k + 1))


def _sum_of_products(weights: np.ndarray, k: int) -> float:
    """Return the elementary symmetric polynomial of degree k: the sum of the products of all k-subsets."""
    sums = np.zeros(k + 1)
    sums[0] = 1.0
    for weight in weights:
        sums[1:] += weight * sums[:-1]
    return float(sums[k])


def _largest_product(weights: np.ndarray, k: int) -> float:
    """Return the product of the k largest weights."""
    return float(np.prod(np.sort(weights)[-k:]))
