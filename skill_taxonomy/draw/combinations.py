"""The i-th random cell of a plan, in O(k) time and O(1) memory: a keyed permutation, unranked.

Skill-Mix draws from C(N, k) x topics, Instruct-SkillMix from C(N, k) x query types. No cell comes twice,
any range can be generated anywhere, and the next refresh is simply the next range.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from fractions import Fraction
from functools import cached_property
from itertools import groupby
from math import ceil, lcm
from random import Random

import numpy as np

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.cells import Cell, derived_seed
from skillmill.skill_taxonomy.draw.permutation import mixed
from skillmill.skill_taxonomy.draw.spaces import BULK_SIZE, Space, space_of
from skillmill.skill_taxonomy.draw.targets import Targets, drawn
from skillmill.skill_taxonomy.draw.thinning import CategoryMix, Thinning, products, same_skills
from skillmill.skill_taxonomy.draw.unranking import AnySubset, DifferentCategories, OneCategory, Unranking
from skillmill.skill_taxonomy.splits import members
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Split, Taxonomy, Topic, canonical, ordered

LEAST_SHARE_KEPT = 1e-4
"""Weights that keep fewer cells than this are refused: the search for the next cell would outlast a teacher's call."""

_LONGEST_PERIOD = 1000  # shares finer than a tenth of a per cent are rounded
_SURVIVORS_A_BLOCK, _LARGEST_BLOCK, _LARGEST_SCALAR_BLOCK = 64, 2**16, 2**10  # at most some 30 ms
_COUNTED = 10**6  # a thinned space up to this size is counted, a larger one is estimated


class Combinations:
    """`combinations[i]` is the cell at raw position i; positions run from 0 to `size` - 1.

    `shares` maps each k to its share of the cells. A mixture is one permutation per k, interleaved by a
    seeded pattern of fixed period, and ends where the first k is used up. `split` draws from held-out skills and
    topics instead of those for training. `categories` conditions the space: skills of "any", of the "same" or of
    "different" categories. `weights` (1 where a skill is not named, 0 takes it out) make a cell as likely as the
    product of its skills' weights. What the weights thin out, and cells with two names for one skill, leave gaps:
    `combinations[i]` is None there, and `cells` passes over them. `balanced` has every query type (topic) come once in
    each block of as many cells of one k as there are, gaps included. `targets` are drawn per cell, outside the space.

    Raises `ConfigError` where there is nothing to draw.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        kind: str,
        about: str,
        shares: Mapping[int, float],
        seed: int,
        *,
        split: Split = "train",
        weights: Mapping[str, float] | None = None,
        categories: CategoryMix = "any",
        balanced: bool = False,
        targets: Targets | None = None,
    ) -> None:
        taxonomy = ordered(taxonomy)
        self.kind, self.seed, self.split, self.categories = kind, seed, split, categories
        self.balanced, self.targets = balanced, targets or {}
        skills, topics = members(taxonomy, split)
        weight_of = _weights(taxonomy, weights or {})
        skills = [skill for skill in skills if weight_of[skill.name] > 0]
        if categories != "any":  # a category is a block of neighbours
            skills.sort(key=lambda skill: canonical(skill.category))
        self.skills: tuple[Skill, ...] = tuple(skills)
        self.abouts: tuple[Topic, ...] | tuple[QueryType, ...]
        self.abouts = tuple(topics) if about == "topic" else taxonomy.query_types
        self._about = about
        if not self.abouts:
            raise ConfigError(f"taxonomy: {kind} needs {'topics' if about == 'topic' else 'query_types'}, found none")
        out = len(taxonomy.skills) - len(self.skills)
        held = f" ({out} more are held out or weigh 0)" if out else ""
        for k in shares:
            if k > len(self.skills):
                raise ConfigError(f"generation.k: {k} is larger than the number of skills, {len(self.skills)}{held}")
        self._blocks = [len(list(block)) for _, block in groupby(self.skills, key=lambda s: canonical(s.category))]
        self._pattern = interleaving(shares, seed)
        self._spaces = {k: self._space(k) for k in sorted(shares)}
        # _before[r]: how often the k at place r of the pattern stands before place r
        self._before = [self._pattern[:r].count(k) for r, k in enumerate(self._pattern)]
        self._per_period = {k: self._pattern.count(k) for k in self._spaces}
        self._share_kept, self._thinning = self._thinned(np.array([weight_of[skill.name] for skill in self.skills]))

    def _space(self, k: int) -> Space:
        subsets: Unranking
        if self.categories == "any":
            subsets = AnySubset(len(self.skills), k)
        elif self.categories == "same":
            subsets = OneCategory(self._blocks, k)
        else:
            subsets = DifferentCategories(self._blocks, k)
        if not subsets.size:
            largest, blocks = max(self._blocks), len(self._blocks)
            most = f"no category has more than {largest}" if self.categories == "same" else f"there are {blocks}"
            raise ConfigError(f"generation.categories: {k} skills of {self.categories} categories asked for, {most}")
        try:
            return space_of(subsets, len(self.abouts), self.balanced, "skillmill", self.seed, self.kind, k)
        except ValueError as error:
            raise ConfigError(f"generation.k: {error}") from None

    def _thinned(self, weights: np.ndarray) -> tuple[float, Thinning | None]:
        """The share of the cells that the weights keep, the same for each k, and what decides it."""
        same = same_skills(self.skills)
        if len(np.unique(weights)) == 1 and len(np.unique(same)) == len(same):
            return 1.0, None
        weights = weights / weights.max()
        found = {k: products(weights, self._blocks, k, self.categories) for k in self._spaces}
        share = {k: total / self._spaces[k].subsets.size / largest for k, (total, largest) in found.items()}
        least = min(share.values())
        if least < LEAST_SHARE_KEPT:
            raise ConfigError(
                f"generation.weights: one cell in {1 / least:,.0f} would be kept, expected at least one in "
                f"{1 / LEAST_SHARE_KEPT:,.0f}; bring the weights closer together"
            )
        # Each k is thinned down to the least share, so that a mixture keeps its proportions.
        scale = {k: largest * share[k] / least for k, (_, largest) in found.items()}
        key = mixed(derived_seed("thinning", self.seed, self.kind))
        return least, Thinning(weights, same, scale, key)

    @property
    def space(self) -> dict[int, int]:
        """The number of different cells per k, gaps included."""
        return {k: space.size for k, space in self._spaces.items()}

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

    @cached_property
    def survivors(self) -> int:
        """The number of positions that are no gaps: counted in thinned spaces of up to a million, else expected."""
        if self._thinning is None:
            return self.size
        if self.size <= _COUNTED:
            return int((self.bulk(0, self.size)[1] >= 0).sum())
        return int(self.size * self._share_kept)

    def __getitem__(self, index: int) -> Cell | None:
        if not 0 <= index < self.size:
            raise IndexError(f"{index} is outside the plan's {self.size} cells")
        period, place = divmod(index, len(self._pattern))
        k = self._pattern[place]
        subset, about = self._spaces[k][period * self._per_period[k] + self._before[place]]
        if self._thinning is not None and not self._thinning.keeps(index, subset):
            return None
        return self._cell(index, subset, about)

    def cells(self, start: int = 0) -> Iterator[Cell]:
        """The cells from raw position `start` to the end, without the gaps."""
        block = 1
        if self._thinning is not None:
            bulk = max(self.space.values()) <= BULK_SIZE
            block = min(ceil(_SURVIVORS_A_BLOCK / self._share_kept), _LARGEST_BLOCK if bulk else _LARGEST_SCALAR_BLOCK)
        for at in range(start, self.size, block):
            if block == 1:
                yield self[at]  # type: ignore[misc]  # without thinning there are no gaps
                continue
            skills, abouts = self.bulk(at, min(at + block, self.size))
            for row in np.nonzero(abouts >= 0)[0].tolist():
                yield self._cell(at + row, tuple(i for i in skills[row].tolist() if i >= 0), int(abouts[row]))

    def bulk(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Cells [start, stop) as indices: skills of shape (n, max k), padded with -1, and abouts of shape (n,).

        Indices are into `skills` and `abouts`; a gap is -1 in both. The same cells as scalar access, in bulk
        speed where every space is below 2^62. Skills ascend; prompt order is the cell's own affair.
        """
        if not 0 <= start <= stop <= self.size:
            raise IndexError(f"[{start}, {stop}) is outside the plan's {self.size} cells")
        positions = np.arange(start, stop, dtype=np.int64)
        periods, places = np.divmod(positions, len(self._pattern))
        pattern, before = np.array(self._pattern), np.array(self._before)
        skills = np.full((len(positions), max(self._spaces)), -1, np.int64)
        abouts = np.full(len(positions), -1, np.int64)
        for k, space in self._spaces.items():
            rows = np.nonzero(pattern[places] == k)[0]
            if not len(rows):
                continue
            subsets, about = space.bulk(periods[rows] * self._per_period[k] + before[places[rows]])
            if self._thinning is not None:
                kept = self._thinning.keeps_bulk(positions[rows], subsets)
                rows, subsets, about = rows[kept], subsets[kept], about[kept]
            skills[rows, :k], abouts[rows] = subsets, about
        return skills, abouts

    def _cell(self, index: int, subset: tuple[int, ...], about: int) -> Cell:
        seed = derived_seed(self.seed, self.kind, index)
        thing = self.abouts[about]
        topic, query_type = (thing, None) if self._about == "topic" else (None, thing)
        return Cell(
            self.kind,
            index,
            tuple([self.skills[i] for i in _shuffled(subset, seed)]),
            topic,  # type: ignore[arg-type]
            query_type,  # type: ignore[arg-type]
            seed,
            self.split,
            **drawn(self.targets, seed),  # type: ignore[arg-type]
        )


def _shuffled(subset: tuple[int, ...], seed: int) -> list[int]:
    """Fisher and Yates's shuffle with 64 bits from `seed`, ample for k up to 12; `Random` costs 6 microseconds."""
    order, bits = list(subset), mixed(seed)
    for last in range(len(order) - 1, 0, -1):
        bits, i = divmod(bits, last + 1)
        order[last], order[i] = order[i], order[last]
    return order


def _weights(taxonomy: Taxonomy, given: Mapping[str, float]) -> dict[str, float]:
    """A weight per skill name. Raises `ConfigError` for a name that no skill has."""
    known = {canonical(name): skill.name for skill in taxonomy.skills for name in (*skill.aliases, skill.name)}
    weights = {skill.name: 1.0 for skill in taxonomy.skills}
    for name, weight in given.items():
        if canonical(name) not in known:
            close = get_close_matches(canonical(name), known, n=1)
            hint = f", did you mean {known[close[0]]!r}?" if close else ""
            raise ConfigError(f"generation.weights: {name!r} is no skill of the taxonomy{hint}")
        weights[known[canonical(name)]] = weight
    return weights


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
