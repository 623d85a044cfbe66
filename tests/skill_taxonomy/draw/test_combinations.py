"""Properties of the unranked permutation and of the cells drawn through it."""

from collections import Counter
from itertools import combinations as all_subsets
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.draw.combinations import Combinations, interleaving
from skillmill.skill_taxonomy.draw.permutation import permutation
from skillmill.skill_taxonomy.draw.unranking import AnySubset, DifferentCategories, OneCategory, Unranking
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, Topic


def taxonomy(skills: int, topics: int = 3, query_types: int = 2) -> Taxonomy:
    return Taxonomy(
        skills=tuple(Skill(name=f"skill {i:04}") for i in range(skills)),
        topics=tuple(Topic(name=f"topic {i:04}") for i in range(topics)),
        query_types=tuple(QueryType(name=f"type {i:04}") for i in range(query_types)),
    )


def skill_mix(tax: Taxonomy, shares: dict[int, float], seed: int = 0) -> Combinations:
    return Combinations(tax, "skill_mix", "topic", shares, seed)


def cell_at(plan: Combinations, index: int) -> Cell:
    """Return the cell at a position of a plan that skips none."""
    cell = plan[index]
    assert cell is not None
    return cell


@given(st.integers(1, 700), st.integers())
def test_permutation_is_a_bijection_of_small_spaces(size: int, seed: int) -> None:
    order = permutation(size, seed)
    assert sorted(order[i] for i in range(size)) == list(range(size))


@given(st.integers(1, 2**62), st.integers(), st.lists(st.integers(0, 2**62), min_size=1, max_size=50))
def test_permutation_in_bulk_equals_scalar(size: int, seed: int, wanted: list[int]) -> None:
    order = permutation(size, seed)
    indices = [i % size for i in wanted]
    assert order.bulk(np.array(indices)).tolist() == [order[i] for i in indices]


@given(st.integers(2**62, 2**126), st.integers(), st.sets(st.integers(0, 2**61), max_size=30))
def test_permutation_of_huge_spaces_stays_inside_and_repeats_nothing(size: int, seed: int, wanted: set[int]) -> None:
    order = permutation(size, seed)
    images = {order[i] for i in wanted}
    assert len(images) == len(wanted)
    assert all(0 <= image < size for image in images)


@pytest.mark.parametrize("condition", ["any", "same", "different"])
@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=5), k=st.integers(1, 8))
def test_unranking_gives_every_allowed_subset_once(condition: str, sizes: list[int], k: int) -> None:
    block = [b for b, size in enumerate(sizes) for _ in range(size)]
    blocks = {"any": None, "same": 1, "different": k}[condition]
    wanted = [
        subset for subset in all_subsets(range(len(block)), k) if blocks in (None, len({block[i] for i in subset}))
    ]
    unranking: Unranking = (
        AnySubset(len(block), k)
        if condition == "any"
        else OneCategory(sizes, k)
        if condition == "same"
        else DifferentCategories(sizes, k)
    )
    ranked = [unranking[rank] for rank in range(unranking.size)]
    assert sorted(ranked) == wanted
    assert [tuple(row) for row in unranking.bulk(np.arange(unranking.size))] == ranked


@given(st.sampled_from(["same", "different"]), st.lists(st.integers(1, 300), min_size=8, max_size=60), st.data())
def test_unranking_large_conditioned_spaces_in_bulk_equals_scalar(
    kind: str, sizes: list[int], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, 8))
    unranking = OneCategory(sizes, k) if kind == "same" else DifferentCategories(sizes, k)
    if not 1 <= unranking.size < 2**62:
        return
    ranks = data.draw(st.lists(st.integers(0, unranking.size - 1), max_size=20))
    assert unranking.bulk(np.array(ranks, np.int64)).tolist() == [list(unranking[rank]) for rank in ranks]


def test_a_small_space_is_walked_through_completely() -> None:
    plan = skill_mix(taxonomy(skills=10, topics=4), {3: 1.0}, seed=7)
    assert plan.size == comb(10, 3) * 4 == 480  # C(10, 3) = 120
    keys = {cell_at(plan, i).key for i in range(plan.size)}
    assert len(keys) == 480
    with pytest.raises(IndexError):
        plan[480]


def test_a_million_draws_of_a_large_space_repeat_nothing() -> None:
    plan = skill_mix(taxonomy(skills=1000, topics=100), {4: 1.0}, seed=1)
    skills, themes = plan.bulk(0, 1_000_000)
    ranked = np.zeros(len(skills), np.int64)
    for column in range(4):
        ranked = ranked * 1000 + skills[:, column]
    cells = ranked * 100 + themes
    assert len(np.unique(cells)) == 1_000_000


def test_same_seed_same_plan_another_seed_another() -> None:
    def draw(seed: int) -> list[str]:
        plan = skill_mix(taxonomy(50, 20), {2: 1.0}, seed)
        return [cell_at(plan, i).key for i in range(200)]

    assert draw(5) == draw(5)
    assert len(set(draw(5)) & set(draw(6))) < 20  # 24,500 cells: two samples of 200 hardly meet


@given(
    st.integers(4, 40),
    st.sampled_from([{1: 1.0}, {2: 1.0}, {1: 0.2, 2: 0.5, 3: 0.3}, {2: 1 / 3, 4: 2 / 3}]),
    st.integers(0, 2**40),
)
def test_bulk_equals_scalar(skills: int, shares: dict[int, float], seed: int) -> None:
    plan = skill_mix(taxonomy(skills, 5), shares, seed)
    stop = min(plan.size, 120)
    bulk_skills, bulk_themes = plan.bulk(0, stop)
    for i in range(stop):
        cell = cell_at(plan, i)
        assert cell.topic is not None
        assert {plan.skills[j].name for j in bulk_skills[i] if j >= 0} == {skill.name for skill in cell.skills}
        assert plan.themes[bulk_themes[i]].name == cell.topic.name


def test_bulk_equals_scalar_beyond_64_bits() -> None:
    plan = skill_mix(taxonomy(3000, 100), {8: 1.0})
    assert plan.size > 2**64
    skills, themes = plan.bulk(1000, 1020)
    for row, theme, i in zip(skills, themes, range(1000, 1020), strict=True):
        cell = cell_at(plan, i)
        assert {plan.skills[j].name for j in row} == {skill.name for skill in cell.skills}
        assert cell.topic == plan.themes[theme]


def test_yaml_order_does_not_matter() -> None:
    tax = taxonomy(12)
    backwards = tax.model_copy(update={"skills": tax.skills[::-1], "topics": tax.topics[::-1]})
    assert [skill_mix(tax, {2: 1.0})[i] for i in range(50)] == [skill_mix(backwards, {2: 1.0})[i] for i in range(50)]


def test_held_out_skills_and_topics_leave_the_space() -> None:
    tax = taxonomy(6, 3)
    held_out = tax.model_copy(
        update={
            "skills": (tax.skills[0].model_copy(update={"split": "test"}), *tax.skills[1:]),
            "topics": (tax.topics[0].model_copy(update={"split": "test"}), *tax.topics[1:]),
        }
    )
    plan = skill_mix(held_out, {2: 1.0})
    assert plan.size == comb(5, 2) * 2
    cells = [cell_at(plan, i) for i in range(plan.size)]
    assert "skill 0000" not in {skill.name for cell in cells for skill in cell.skills}
    assert "topic 0000" not in {cell.topic.name for cell in cells if cell.topic}


@given(st.dictionaries(st.integers(1, 8), st.integers(1, 40), min_size=1, max_size=5), st.integers())
def test_a_mixture_keeps_its_shares_over_every_period(weights: dict[int, int], seed: int) -> None:
    total = sum(weights.values())
    pattern = interleaving({k: weight / total for k, weight in weights.items()}, seed)
    for k, count in Counter(pattern).items():
        assert abs(count / len(pattern) - weights[k] / total) <= 1 / len(pattern) + 1e-9


def test_a_mixture_ends_where_the_first_k_is_used_up() -> None:
    plan = skill_mix(taxonomy(4, 1), {1: 0.5, 2: 0.5})
    drawn = Counter(cell_at(plan, i).k for i in range(plan.size))
    assert drawn[1] == 4
    assert drawn[2] in (4, 5)


def test_skill_order_in_the_prompt_varies() -> None:
    plan = skill_mix(taxonomy(10), {2: 1.0})
    first_is_smaller = [cell_at(plan, i).skills[0].name < cell_at(plan, i).skills[1].name for i in range(100)]
    assert 20 < sum(first_is_smaller) < 80


def test_each_query_type_comes_about_equally_often() -> None:
    plan = Combinations(taxonomy(100, query_types=8), "instruct_skill_mix", "query_type", {2: 1.0}, 3)
    counts = Counter(plan.bulk(0, 8000)[1].tolist())
    assert all(850 < counts[i] < 1150 for i in range(8))


def test_k_larger_than_the_number_of_skills_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"generation\.k: 5 is larger than the number of skills, 4"):
        skill_mix(taxonomy(4), {5: 1.0})


def test_no_topics_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="needs topics"):
        skill_mix(taxonomy(4, topics=0), {2: 1.0})
