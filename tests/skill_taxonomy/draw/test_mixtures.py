"""Mixtures of a plan besides k: balanced query types, and targets drawn per cell."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.skill_taxonomy.draw.combinations import Combinations
from skillmill.skill_taxonomy.draw.targets import draw_targets
from skillmill.skill_taxonomy.sources import builtin
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy

LENGTHS = {"short": 0.3, "medium": 0.5, "long": 0.2}


def taxonomy(skills: int, query_types: int) -> Taxonomy:
    return Taxonomy(
        skills=tuple(Skill(name=f"skill {i:04}") for i in range(skills)),
        query_types=tuple(QueryType(name=f"type {i:04}") for i in range(query_types)),
    )


def balanced(
    tax: Taxonomy, shares: dict[int, float], seed: int, weights: dict[str, float] | None = None
) -> Combinations:
    return Combinations(tax, "instruct_skill_mix", "query_type", shares, seed, balanced=True, weights=weights)


@given(st.integers(3, 7), st.integers(1, 5), st.integers(), st.sampled_from([{2: 1.0}, {1: 0.5, 2: 0.5}, {3: 1.0}]))
def test_balanced_cells_are_all_different_and_fill_the_space(
    skills: int, types: int, seed: int, shares: dict[int, float]
) -> None:
    plan = balanced(taxonomy(skills, types), shares, seed)
    keys = Counter(cell.key for cell in plan.cells())
    assert max(keys.values()) == 1
    if len(shares) == 1:
        assert len(keys) == plan.size == sum(plan.space.values())


@given(st.integers(2, 9), st.integers(), st.integers(0, 40))
def test_every_block_of_a_balanced_plan_has_each_query_type_once(types: int, seed: int, block: int) -> None:
    plan = balanced(taxonomy(30, types), {2: 1.0}, seed)
    themes = plan.bulk(block * types, (block + 1) * types)[1]
    assert sorted(themes.tolist()) == list(range(types))


def test_each_k_of_a_mixture_is_balanced_by_itself() -> None:
    plan = balanced(taxonomy(30, 5), {1: 0.2, 2: 0.8}, seed=3)
    counts = Counter((cell.k, cell.query_type and cell.query_type.name) for cell in islice(plan.cells(), 100))
    assert {k: {counts[k, f"type {i:04}"] for i in range(5)} for k in (1, 2)} == {1: {4}, 2: {16}}


@given(st.integers(), st.integers(0, 500), st.sampled_from([{}, {"skill 0001": 0.3}]), st.sampled_from([40, 90]))
def test_balanced_bulk_gives_the_scalar_cells(seed: int, start: int, weights: dict[str, float], skills: int) -> None:
    # 20 of 90 skills make a space beyond 64 bits
    shares = {2: 0.5, 3: 0.5} if skills == 40 else {20: 1.0}
    plan = balanced(taxonomy(skills, 7), shares, seed, weights=weights)
    subsets, themes = plan.bulk(start, start + 30)
    for row in range(30):
        cell = plan[start + row]
        assert (cell is None) == (themes[row] < 0)
        if cell is not None:
            names = sorted(skill.name for skill in cell.skills)
            assert names == [plan.skills[i].name for i in subsets[row] if i >= 0]
            assert cell.query_type == plan.themes[themes[row]]


def test_unbalanced_plans_draw_query_types_as_a_fair_die_does() -> None:
    """Why there is an option: fair, but a type's count among the first 200 cells lies between 4 and 15, not at 9."""
    instruct, chi_square, ranges = builtin("instruct"), [], []
    for seed in range(40):
        plan = Combinations(instruct, "instruct_skill_mix", "query_type", {2: 1.0}, seed)
        counts = np.bincount(plan.bulk(0, 1000)[1], minlength=len(plan.themes))
        chi_square.append(((counts - 1000 / len(counts)) ** 2 / (1000 / len(counts))).sum())
        ranges.append(np.ptp(np.bincount(plan.bulk(0, 200)[1], minlength=len(plan.themes))))
    freedom = len(instruct.query_types) - 1
    assert abs(np.mean(chi_square) - freedom) < 4 * (2 * freedom / 40) ** 0.5  # four standard errors
    assert np.mean(ranges) > 8
    even = balanced(instruct, {2: 1.0}, 0)
    assert np.ptp(np.bincount(even.bulk(0, 200)[1])) == 1


@given(st.integers(0, 2**31 - 1))
def test_targets_do_not_depend_on_the_order_of_shares_nor_on_each_other(seed: int) -> None:
    backwards = dict(reversed(LENGTHS.items()))
    both = draw_targets({"length": backwards, "difficulty": {"easy": 0.5, "hard": 0.5}}, seed)
    assert draw_targets({"length": LENGTHS}, seed)["length"] == both["length"]


def test_targets_have_their_shares_and_leave_the_cells_as_they_are() -> None:
    tax = taxonomy(60, 4)
    plain = Combinations(tax, "instruct_skill_mix", "query_type", {2: 1.0}, 1)
    aimed = Combinations(
        tax, "instruct_skill_mix", "query_type", {2: 1.0}, 1, targets={"length": LENGTHS, "language": {"German": 1.0}}
    )
    pairs = list(zip(islice(plain.cells(), 4000), islice(aimed.cells(), 4000), strict=True))
    assert all((a.key, a.seed, a.skills, a.index) == (b.key, b.seed, b.skills, b.index) for a, b in pairs)
    assert all(a.length is a.language is a.difficulty is None for a, _ in pairs)
    counts = Counter(cell.length for _, cell in pairs)
    assert {name: counts[name] / 4000 for name in LENGTHS} == pytest.approx(LENGTHS, abs=0.03)
    assert {(cell.language, cell.english) for _, cell in pairs} == {("German", False)}
    assert pairs[5][0].english
    assert aimed[5] == pairs[5][1]
