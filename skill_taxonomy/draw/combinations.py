"""The i-th random cell of a plan, in O(k) time and O(1) memory, by unranking a keyed permutation.

Skill-Mix (arXiv 2310.17567, section 4) draws from C(N, k) x topics, Instruct-SkillMix (arXiv 2408.14774) from C(N, k)
x query types. No cell repeats, every range of positions can be drawn on its own, and the next generation of a plan is
the next range. The theme of a cell is its topic or its query type. A query type with a category is combined with the
subsets that have a skill of this category.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from fractions import Fraction
from functools import cached_property
from itertools import groupby
from math import ceil, lcm
from random import Random
from typing import Literal

import numpy as np

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.cells import Cell, derived_seed
from skillmill.skill_taxonomy.draw.permutation import mix64
from skillmill.skill_taxonomy.draw.spaces import MAX_BULK_SIZE, Space, space_of
from skillmill.skill_taxonomy.draw.targets import Targets, draw_targets
from skillmill.skill_taxonomy.draw.thinning import CategoryMix, Thinning, products_touching, weight_products
from skillmill.skill_taxonomy.draw.unranking import (
    AnySubset,
    DifferentCategories,
    OneCategory,
    TouchingCategory,
    Unranking,
)
from skillmill.skill_taxonomy.same_skills import same_skill_groups
from skillmill.skill_taxonomy.splits import members
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Split, Taxonomy, Topic, canonical, ordered

MIN_SHARE_KEPT = 1e-4
"""The least share of cells that weights may keep. Below it the search for the next cell takes longer than a request."""

_MAX_PERIOD = 1000  # shares finer than 0.1 % are rounded
_KEPT_PER_BLOCK, _MAX_BLOCK, _MAX_SCALAR_BLOCK = 64, 2**16, 2**10  # a block takes at most some 30 ms
_MAX_COUNTED = 10**6  # kept cells are counted in thinned plans up to this size, and estimated in larger ones


ThemeKind = Literal["topic", "query_type"]
"""What the skills of a cell are combined with."""


class Combinations:
    """The cells of a plan as a sequence of positions from 0 to `size` - 1.

    `combinations[i]` is the cell at position i, or None where a cell is skipped because of weights or because two of
    its skills share a name or an alias.

    Args:
        taxonomy: The skills and themes; the order of its entries does not matter.
        kind: The kind of generator, part of the seed and of error messages.
        theme_kind: What a cell combines its skills with.
        shares: The share of the cells with k skills, for each k; shares sum to 1. Each k has a permutation of its
            own, and a seeded pattern of fixed period interleaves them. The plan ends at the first position whose k
            has no cells left.
        seed: The seed of the draw.
        split: The split whose skills and topics are used.
        weights: The weight of a skill, by name; 1 if not given. A cell is as likely as the product of the weights of
            its skills. Skills of weight 0 are not part of the space.
        categories: Whether the skills of a cell are of any categories, of one category or of different ones.
        balanced: True if each theme occurs once in each block of as many cells of one k as there are themes, skipped
            cells included.
        targets: Shares of target difficulties, lengths and languages, which are drawn per cell.

    Raises `ConfigError` if there is no cell to draw.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        kind: str,
        theme_kind: ThemeKind,
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
        weight_of = _weight_by_skill(taxonomy, weights or {})
        skills = [skill for skill in skills if weight_of[skill.name] > 0]
        self.themes: tuple[Topic, ...] | tuple[QueryType, ...]
        self.themes = tuple(topics) if theme_kind == "topic" else taxonomy.query_types
        bound = any(_category_of(theme) is not None for theme in self.themes)
        if categories != "any" or bound:  # unranking needs the skills of a category side by side
            skills.sort(key=lambda skill: canonical(skill.category))
        self.skills: tuple[Skill, ...] = tuple(skills)
        if not self.themes:
            needed = "topics" if theme_kind == "topic" else "query_types"
            hint = "taxonomy.themes: builtin:instruct, or a file that has them, adds some"
            raise ConfigError(f"taxonomy: {kind} needs {needed}, found none; {hint}")
        excluded = len(taxonomy.skills) - len(self.skills)
        note = f" ({excluded} more are held out or weigh 0)" if excluded else ""
        for k in shares:
            if k > len(self.skills):
                raise ConfigError(f"generation.k: {k} is larger than the number of skills, {len(self.skills)}{note}")
        runs = [(name, len(list(run))) for name, run in groupby(self.skills, key=lambda s: canonical(s.category))]
        self._blocks = [length for _, length in runs]
        number = {name: i for i, (name, _) in enumerate(runs)}
        # The number of the category that each theme goes with; None for every category, -1 for one without skills.
        self._bound = [None if name is None else number.get(name, -1) for name in map(_category_of, self.themes)]
        self._pattern = interleaving(shares, seed)
        # For each k the number of cells of all themes; a balanced plan may end before all of them have come.
        self._pairs: dict[int, int] = {}
        self._spaces = {k: self._space(k) for k in sorted(shares)}
        # _before[r] is the number of places before r that have the same k as place r
        self._before = [self._pattern[:r].count(k) for r, k in enumerate(self._pattern)]
        self._per_period = {k: self._pattern.count(k) for k in self._spaces}
        self._share_kept, self._thinning = self._thinning_of(np.array([weight_of[skill.name] for skill in self.skills]))

    def _space(self, k: int) -> Space:
        """Return the space of the cells with k skills. Raises `ConfigError` if it is empty or too large."""
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
        of_block = {block: self._touching(block, k) for block in self._bound if block is not None}
        of_themes = [subsets if block is None else of_block[block] for block in self._bound]
        self._pairs[k] = sum(each.size for each in of_themes)
        if not self._pairs[k]:
            raise ConfigError(f"taxonomy.query_types: no category of a query type has skills for cells of {k}")
        try:
            return space_of(of_themes, self.balanced, "skillmill", self.seed, self.kind, k)
        except ValueError as error:
            raise ConfigError(f"generation.k: {error}") from None

    def _touching(self, block: int, k: int) -> Unranking:
        """Return the allowed subsets of k skills with at least one of the category `block`, none for block -1."""
        if block < 0:
            return TouchingCategory(0, 0, [])
        length, others = self._blocks[block], self._blocks[:block] + self._blocks[block + 1 :]
        outside: list[tuple[int, Unranking]]
        if self.categories == "any":
            outside = [(j, AnySubset(sum(others), k - j)) for j in range(1, k + 1)]
        elif self.categories == "same":
            outside = [(k, AnySubset(sum(others), 0))]
        else:
            outside = [(1, DifferentCategories(others, k - 1))]
        return TouchingCategory(sum(self._blocks[:block]), length, outside)

    def _thinning_of(self, weights: np.ndarray) -> tuple[float, Thinning | None]:
        """Return the share of cells that the weights keep, which is equal for all k, and the thinning that does it."""
        groups = same_skill_groups(self.skills)
        if len(set(weights.tolist())) == 1 and len(set(groups.tolist())) == len(groups):
            return 1.0, None
        weights = weights / weights.max()
        products = {k: weight_products(weights, self._blocks, k, self.categories) for k in self._spaces}
        share = {k: self._mean_product(weights, k, total) / largest for k, (total, largest) in products.items()}
        least = min(share.values())
        if least < MIN_SHARE_KEPT:
            raise ConfigError(
                f"generation.weights: one cell in {1 / least:,.0f} would be kept, expected at least one in "
                f"{1 / MIN_SHARE_KEPT:,.0f}; bring the weights closer together"
            )
        # All k are thinned to the least share, so that a mixture keeps its proportions.
        scale = {k: largest * share[k] / least for k, (_, largest) in products.items()}
        key = mix64(derived_seed("thinning", self.seed, self.kind))
        return least, Thinning(weights, groups, scale, key)

    def _mean_product(self, weights: np.ndarray, k: int, over_subsets: float) -> float:
        """Return the mean product of weights over the cells with k skills, given its sum over all allowed subsets."""
        pairs, themes_of = self._pairs[k], Counter(self._bound)
        if themes_of[None] == len(self.themes):
            return over_subsets / (pairs // len(self.themes))
        total = themes_of[None] * over_subsets
        for block, themes in themes_of.items():
            if block is not None and block >= 0:
                total += themes * products_touching(weights, self._blocks, k, self.categories, block)
        return total / pairs

    @property
    def space(self) -> dict[int, int]:
        """The number of different cells for each k, skipped cells included."""
        return {k: space.size for k, space in self._spaces.items()}

    @cached_property
    def size(self) -> int:
        """The number of positions: the first position whose k has no cells left."""
        period = len(self._pattern)
        first_missing = []
        for k, size in self.space.items():
            periods, rest = divmod(size, self._per_period[k])
            places = [r for r, k_at_place in enumerate(self._pattern) if k_at_place == k]
            first_missing.append(periods * period + places[rest])
        return min(first_missing)

    @cached_property
    def survivors(self) -> int:
        """The number of cells that are not skipped; an estimate for thinned plans of over a million positions."""
        if self._thinning is None:
            return self.size
        if self.size <= _MAX_COUNTED:
            return int((self.bulk(0, self.size)[1] >= 0).sum())
        return int(self.size * self._share_kept)

    def __getitem__(self, index: int) -> Cell | None:
        if not 0 <= index < self.size:
            raise IndexError(f"{index} is outside the plan's {self.size} cells")
        period, place = divmod(index, len(self._pattern))
        k = self._pattern[place]
        subset, theme = self._spaces[k][period * self._per_period[k] + self._before[place]]
        if self._thinning is not None and not self._thinning.keeps(index, subset):
            return None
        return self._cell(index, subset, theme)

    def cells(self, start: int = 0) -> Iterator[Cell]:
        """Yield the cells from position `start` on, without the skipped ones."""
        block = 1
        if self._thinning is not None:
            bulk = max(self.space.values()) <= MAX_BULK_SIZE
            block = min(ceil(_KEPT_PER_BLOCK / self._share_kept), _MAX_BLOCK if bulk else _MAX_SCALAR_BLOCK)
        for at in range(start, self.size, block):
            if block == 1:
                cell = self[at]
                if cell is not None:
                    yield cell
                continue
            skills, themes = self.bulk(at, min(at + block, self.size))
            for row in np.nonzero(themes >= 0)[0].tolist():
                yield self._cell(at + row, tuple(i for i in skills[row].tolist() if i >= 0), int(themes[row]))

    def bulk(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells at positions [start, stop) as numbers of skills and themes.

        The skills are int64 of shape (n, max k), padded with -1, and index `self.skills` in ascending order (a cell
        lists them in prompt order). The themes are int64 of shape (n,) and index `self.themes`. Skipped cells are -1
        in both. Spaces up to 2^62 are computed in bulk. Raises `IndexError` for positions outside the plan.
        """
        if not 0 <= start <= stop <= self.size:
            raise IndexError(f"[{start}, {stop}) is outside the plan's {self.size} cells")
        positions = np.arange(start, stop, dtype=np.int64)
        periods, places = np.divmod(positions, len(self._pattern))
        pattern, before = np.array(self._pattern), np.array(self._before)
        skills = np.full((len(positions), max(self._spaces)), -1, np.int64)
        themes = np.full(len(positions), -1, np.int64)
        for k, space in self._spaces.items():
            rows = np.nonzero(pattern[places] == k)[0]
            if not len(rows):
                continue
            subsets, theme = space.bulk(periods[rows] * self._per_period[k] + before[places[rows]])
            if self._thinning is not None:
                kept = self._thinning.keeps_bulk(positions[rows], subsets)
                rows, subsets, theme = rows[kept], subsets[kept], theme[kept]
            skills[rows, :k], themes[rows] = subsets, theme
        return skills, themes

    def _cell(self, index: int, subset: tuple[int, ...], theme_number: int) -> Cell:
        """Return the cell of a subset of skills and a theme at a position."""
        seed = derived_seed(self.seed, self.kind, index)
        theme = self.themes[theme_number]
        targets = draw_targets(self.targets, seed)
        return Cell(
            kind=self.kind,
            index=index,
            skills=tuple([self.skills[i] for i in _shuffled(subset, seed)]),
            topic=theme if isinstance(theme, Topic) else None,
            query_type=theme if isinstance(theme, QueryType) else None,
            seed=seed,
            split=self.split,
            difficulty=targets.get("difficulty"),
            length=targets.get("length"),
            language=targets.get("language"),
        )


def _category_of(theme: Topic | QueryType) -> str | None:
    """Return the canonical name of the category of skills that a theme goes with, None if it goes with all skills."""
    return canonical(theme.category) if isinstance(theme, QueryType) and theme.category is not None else None


def _shuffled(subset: tuple[int, ...], seed: int) -> list[int]:
    """Return the subset in a random order: a Fisher-Yates shuffle with 64 bits from the seed, enough for k up to 12.

    `Random.shuffle` takes 6 microseconds more.
    """
    order, bits = list(subset), mix64(seed)
    for last in range(len(order) - 1, 0, -1):
        bits, i = divmod(bits, last + 1)
        order[last], order[i] = order[i], order[last]
    return order


def _weight_by_skill(taxonomy: Taxonomy, weights_given: Mapping[str, float]) -> dict[str, float]:
    """Return the weight of each skill by name. Raises `ConfigError` for a name that no skill has."""
    known = {canonical(name): skill.name for skill in taxonomy.skills for name in (*skill.aliases, skill.name)}
    weights = {skill.name: 1.0 for skill in taxonomy.skills}
    for name, weight in weights_given.items():
        if canonical(name) not in known:
            close = get_close_matches(canonical(name), known, n=1)
            hint = f", did you mean {known[close[0]]!r}?" if close else ""
            raise ConfigError(f"generation.weights: {name!r} is no skill of the taxonomy{hint}")
        weights[known[canonical(name)]] = weight
    return weights


def interleaving(shares: Mapping[int, float], seed: int) -> tuple[int, ...]:
    """Return the k at each place of a period: counts in proportion to the shares, shuffled by the seed.

    Raises `ConfigError` if a share is too small to have a place.
    """
    exact = {k: Fraction(share).limit_denominator(_MAX_PERIOD) for k, share in sorted(shares.items())}
    period = lcm(*(share.denominator for share in exact.values()))
    if period > _MAX_PERIOD or sum(exact.values()) != 1:
        period = _MAX_PERIOD
    counts = {k: int(share * period) for k, share in exact.items()}
    # The largest remainders get the places that rounding down left over.
    by_remainder = sorted(exact, key=lambda k: (counts[k] - exact[k] * period, k))
    for k in by_remainder[: period - sum(counts.values())]:
        counts[k] += 1
    pattern = [k for k, count in counts.items() for _ in range(count)]
    if not all(counts.values()):
        raise ConfigError(f"generation.k: every share must be at least 1/{_MAX_PERIOD}")
    Random(seed).shuffle(pattern)  # noqa: S311 (a draw, not a secret)
    return tuple(pattern)
