"""What a cell aims at beside its skills: difficulty, length, language, drawn by hash(seed, index) outside the space."""

from collections.abc import Mapping
from typing import Literal

from skillmill.skill_taxonomy.cells import derived_seed

Difficulty = Literal["easy", "medium", "hard"]
Length = Literal["short", "medium", "long"]
Targets = Mapping[str, Mapping[str, float]]
"""For `difficulty`, `length` and `language`, the share of the cells that each value is to have; they sum to 1."""

_SEEDS = 2**31
"""How many values `derived_seed` has."""


def drawn(targets: Targets, seed: int) -> dict[str, str]:
    """The value of each target for the cell with this seed: the same in any order of the shares, and independent."""
    return {name: _drawn(shares, derived_seed("target", name, seed)) for name, shares in targets.items()}


def _drawn(shares: Mapping[str, float], seed: int) -> str:
    point, values = seed / _SEEDS, sorted(shares)
    for value in values:
        point -= shares[value]
        if point < 0:
            return value
    return values[-1]  # shares may sum to a little less than 1
