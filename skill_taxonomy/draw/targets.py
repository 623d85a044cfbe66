"""Target difficulty, length and language of a cell, drawn from its seed, independently of skills and theme."""

from collections.abc import Mapping
from typing import Literal

from skillmill.skill_taxonomy.cells import derived_seed

Difficulty = Literal["easy", "medium", "hard"]
Length = Literal["short", "medium", "long"]
Targets = Mapping[str, Mapping[str, float]]
"""For each of `difficulty`, `length` and `language` in use: the share of cells per value; shares sum to 1."""

_SEEDS = 2**31
"""The number of values of `derived_seed`."""


def draw_targets(targets: Targets, seed: int) -> dict[str, str]:
    """Return the value of each target for the cell with this seed; the order of the shares does not matter."""
    return {name: _draw_value(shares, derived_seed("target", name, seed)) for name, shares in targets.items()}


def _draw_value(shares: Mapping[str, float], seed: int) -> str:
    """Return the value whose interval of the cumulated shares contains the seed as a fraction of 2^31."""
    point, values = seed / _SEEDS, sorted(shares)
    for value in values:
        point -= shares[value]
        if point < 0:
            return value
    return values[-1]  # rounded shares can sum to slightly less than 1
