"""The i-th random cell of a plan, in O(k) time and O(1) memory: a keyed permutation, unranked.

Skill-Mix draws from C(N, k) x topics, Instruct-SkillMix from C(N, k) x query types. No cell comes twice,
any range can be generated anywhere, and the next refresh is simply the next range.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import comb, lcm
from random import Random

import numpy as np

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.cells import Cell, derived_seed
from skillmill.skill_taxonomy.permutation import Permutation, permutation
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, Topic, ordered

_LONGEST_PERIOD = 1000  # shares finer than a tenth of a per cent are rounded


class Unranking:
    """Rank to k-subset of range(n), by the combinatorial number system: n > c_k > … > c_1 >= 0."""

    def __init__(self, n: int, k: int) -> None:
        self.n, self.k, self.size = n, k, comb(n, k)
        # _below[j - 1][c] = C(c, j): how many j-subsets have all elements below c
        self._below = [[comb(c, j) for c in range(n + 1)] for j in range(1, k + 1)]

    def __getitem__(self, rank: int) -> tuple[int, ...]:
        subset = []
        for row in reversed(self._below):
            c = bisect_right(row, rank) - 1
            rank -= row[c]
            subset.append(c)
        return tuple(reversed(subset))

    def bulk(self, ranks: np.ndarray) -> np.ndarray:
        """int64 ranks of shape (n,) to ascending int64 subsets of shape (n, k)."""
        ranks = ranks.copy()
        subsets = np.empty((len(ranks), self.k), np.int64)
        for j, row in reversed(list(enumerate(self._tables))):
            subsets[:, j] = np.searchsorted(row, ranks, side="right") - 1
            ranks -= row[subsets[:, j]]
        return subsets

    @cached_property
    def _tables(self) -> list[np.ndarray]:
        # Entries above every rank are never reached, but they must sort last: cap them.
        return [np.array([min(value, 2**63 - 1) for value in row], np.int64) for row in self._below]


@dataclass(frozen=True)
class _Space:
    """All cells of one k: a permutation of subset rank x what they are about."""

    subsets: Unranking
    abouts: int
    order: Permutation

    def __getitem__(self, i: int) -> tuple[tuple[int, ...], int]:
        rank, about = divmod(self.order[i], self.abouts)
        return self.subsets[rank], about

    def bulk(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ranks, abouts = np.divmod(self.order.bulk(indices), self.abouts)
        return self.subsets.bulk(ranks), abouts


class Combinations:
    """`combinations[i]` is the cell at raw position i; positions run from 0 to `len(combinations)` - 1.

    `shares` maps each k to its share of the cells. A mixture is one permutation per k, interleaved by a
    seeded pattern of fixed period, and ends where the first k is used up.
    """

    def __init__(self, taxonomy: Taxonomy, kind: str, about: str, shares: Mapping[int, float], seed: int) -> None:
        taxonomy = ordered(taxonomy)
        self.kind, self.seed = kind, seed
        self.skills: tuple[Skill, ...] = tuple(skill for skill in taxonomy.skills if skill.split == "train")
        self.abouts: tuple[Topic, ...] | tuple[QueryType, ...]
        if about == "topic":
            self.abouts = tuple(topic for topic in taxonomy.topics if topic.split == "train")
        else:
            self.abouts = taxonomy.query_types
        self._about = about
        if not self.abouts:
            raise ConfigError(f"taxonomy: {kind} needs {'topics' if about == 'topic' else 'query_types'}, found none")
        for k in shares:
            if k > len(self.skills):
                raise ConfigError(f"generation.k: {k} is larger than the number of skills, {len(self.skills)}")
        self._pattern = interleaving(shares, seed)
        self._spaces = {k: self._space(k) for k in sorted(shares)}
        # _before[r]: how often the k at place r of the pattern stands before place r
        self._before = [self._pattern[:r].count(k) for r, k in enumerate(self._pattern)]
        self._per_period = {k: self._pattern.count(k) for k in self._spaces}

    def _space(self, k: int) -> _Space:
        subsets = Unranking(len(self.skills), k)
        size = subsets.size * len(self.abouts)
        try:
            order = permutation(size, "skillmill", self.seed, self.kind, k)
        except ValueError as error:
            raise ConfigError(f"generation.k: {error}") from None
        return _Space(subsets, len(self.abouts), order)

    @property
    def space(self) -> dict[int, int]:
        """The number of different cells per k."""
        return {k: space.order.size for k, space in self._spaces.items()}

    @cached_property
    def size(self) -> int:
        """The number of positions: up to the first that would need a cell of a used-up k."""
        period = len(self._pattern)
        first_missing = []
        for k, size in self.space.items():
            periods, left = divmod(size, self._per_period[k])
            places = [r for r, at in enumerate(self._pattern) if at == k]
            first_missing.append(periods * period + places[left])
        return min(first_missing)

    def __getitem__(self, index: int) -> Cell:
        if not 0 <= index < self.size:
            raise IndexError(f"{index} is outside the plan's {self.size} cells")
        period, place = divmod(index, len(self._pattern))
        k = self._pattern[place]
        subset, about = self._spaces[k][period * self._per_period[k] + self._before[place]]
        return self._cell(index, subset, about)

    def bulk(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Cells [start, stop) as indices: skills of shape (n, max k), padded with -1, and abouts of shape (n,).

        Indices are into `skills` and `abouts`. The same cells as scalar access, in bulk speed where every
        space is below 2^62. Skills come in ascending order; prompt order is the cell's own affair.
        """
        if not 0 <= start <= stop <= self.size:
            raise IndexError(f"[{start}, {stop}) is outside the plan's {self.size} cells")
        positions = np.arange(start, stop, dtype=np.int64)
        periods, places = np.divmod(positions, len(self._pattern))
        pattern, before = np.array(self._pattern), np.array(self._before)
        skills = np.full((len(positions), max(self._spaces)), -1, np.int64)
        abouts = np.empty(len(positions), np.int64)
        for k, space in self._spaces.items():
            rows = np.nonzero(pattern[places] == k)[0]
            inner = periods[rows] * self._per_period[k] + before[places[rows]]
            if space.order.size < 2**62:
                skills[rows, :k], abouts[rows] = space.bulk(inner)
            else:
                for row, i in zip(rows, inner, strict=True):
                    skills[row, :k], abouts[row] = space[int(i)]
        return skills, abouts

    def _cell(self, index: int, subset: tuple[int, ...], about: int) -> Cell:
        seed = derived_seed(self.seed, self.kind, index)
        skills = [self.skills[i] for i in subset]
        Random(seed).shuffle(skills)  # noqa: S311 (a draw, not a secret)
        thing = self.abouts[about]
        return Cell(
            kind=self.kind,
            index=index,
            skills=tuple(skills),
            topic=thing if isinstance(thing, Topic) else None,
            query_type=thing if isinstance(thing, QueryType) else None,
            seed=seed,
        )


def interleaving(shares: Mapping[int, float], seed: int) -> tuple[int, ...]:
    """Which k stands at each place of a period: the shares as exact counts, shuffled by the seed."""
    exact = {k: Fraction(share).limit_denominator(_LONGEST_PERIOD) for k, share in sorted(shares.items())}
    period = lcm(*(share.denominator for share in exact.values()))
    if period > _LONGEST_PERIOD or sum(exact.values()) != 1:
        period = _LONGEST_PERIOD
    counts = {k: int(share * period) for k, share in exact.items()}
    # Largest remainders first, so that rounding never loses or adds a place.
    by_remainder = sorted(exact, key=lambda k: (counts[k] - exact[k] * period, k))
    for k in by_remainder[: period - sum(counts.values())]:
        counts[k] += 1
    pattern = [k for k, count in counts.items() for _ in range(count)]
    if not all(counts.values()):
        raise ConfigError(f"generation.k: every share must be at least 1/{_LONGEST_PERIOD}")
    Random(seed).shuffle(pattern)  # noqa: S311 (a draw, not a secret)
    return tuple(pattern)
