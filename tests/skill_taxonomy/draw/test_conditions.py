"""Weights, category mixes and aliases: which cells are kept, and that bulk and scalar access agree."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.draw.combinations import Combinations
from skillmill.skill_taxonomy.draw.thinning import CategoryMix
from skillmill.skill_taxonomy.same_skills import same_skill_groups
from skillmill.skill_taxonomy.taxonomy import Skill, Taxonomy, Topic, canonical

WEIGHTS = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 3.0])


def taxonomy(skills: int, categories: int = 4, topics: int = 3) -> Taxonomy:
    return Taxonomy(
        skills=tuple(Skill(name=f"skill {i:04}", category=f"category {i % categories}") for i in range(skills)),
        topics=tuple(Topic(name=f"topic {i:04}") for i in range(topics)),
    )


def aliased(skills: int) -> Taxonomy:
    """Skills 0 and 1 share an alias, and so do 1 and 2: three names for one skill."""
    shared = {0: ("one",), 1: ("One", "other"), 2: ("OTHER",)}
    plain = taxonomy(skills)
    return plain.model_copy(
        update={
            "skills": tuple(s.model_copy(update={"aliases": shared.get(i, ())}) for i, s in enumerate(plain.skills))
        }
    )


@settings(max_examples=60)
@given(
    st.integers(8, 30),
    st.sampled_from([{1: 1.0}, {2: 1.0}, {1: 0.2, 2: 0.5, 3: 0.3}]),
    st.sampled_from(["any", "same", "different"]),
    st.dictionaries(st.sampled_from(["skill 0003", "skill 0004", "skill 0005"]), WEIGHTS),
    st.integers(0, 2**40),
)
def test_bulk_scalar_and_iteration_agree_under_any_condition(
    skills: int, shares: dict[int, float], categories: CategoryMix, weights: dict[str, float], seed: int
) -> None:
    try:
        plan = Combinations(aliased(skills), "skill_mix", "topic", shares, seed, weights=weights, categories=categories)
    except ConfigError as error:
        assert "generation." in str(error)  # too few skills of one category for this k
        return
    stop = min(plan.size, 150)
    scalar = [plan[i] for i in range(stop)]
    bulk_skills, bulk_themes = plan.bulk(0, stop)
    for cell, row, theme in zip(scalar, bulk_skills, bulk_themes, strict=True):
        if cell is None:
            assert theme == -1
            assert set(row) == {-1}
        else:
            assert {plan.skills[j] for j in row if j >= 0} == set(cell.skills)
            assert plan.themes[theme] == cell.topic
    kept = [cell for cell in scalar if cell is not None]
    assert list(islice(plan.cells(), len(kept))) == kept
    assert list(islice(plan.cells(stop), 1)) == list(
        islice((c for c in map(plan.__getitem__, range(stop, plan.size)) if c), 1)
    )


@given(st.integers(0, 2**40), st.integers(2, 3))
def test_two_names_for_one_skill_never_meet_in_a_cell_and_nothing_else_is_lost(seed: int, k: int) -> None:
    tax = aliased(7)
    plan = Combinations(tax, "skill_mix", "topic", {k: 1.0}, seed)
    cells = list(plan.cells())
    one = {"skill 0000", "skill 0001", "skill 0002"}
    assert all(len(one & {skill.name for skill in cell.skills}) <= 1 for cell in cells)
    every = Combinations(taxonomy(7), "skill_mix", "topic", {k: 1.0}, seed).cells()
    allowed = {cell.key for cell in every if len(one & {skill.name for skill in cell.skills}) <= 1}
    assert {cell.key for cell in cells} == allowed
    assert len(cells) == len(allowed) == plan.survivors < plan.size


def test_same_skills_are_found_through_a_third() -> None:
    groups = same_skill_groups(aliased(5).skills)
    assert groups[0] == groups[1] == groups[2]
    assert len({groups[2], groups[3], groups[4]}) == 3


@pytest.mark.parametrize("k", range(2, 5))
@pytest.mark.parametrize("categories", ["same", "different"])
def test_a_category_mix_is_the_whole_space_and_has_no_gaps(categories: CategoryMix, k: int) -> None:
    tax = taxonomy(17, categories=4)
    plan = Combinations(tax, "skill_mix", "topic", {k: 1.0}, 3, categories=categories)
    cells = [plan[i] for i in range(plan.size)]
    wanted = {
        cell.key
        for cell in Combinations(tax, "skill_mix", "topic", {k: 1.0}, 3).cells()
        if len({canonical(skill.category) for skill in cell.skills}) == (1 if categories == "same" else k)
    }
    assert None not in cells
    assert {cell.key for cell in cells if cell} == wanted
    assert len(cells) == len(wanted)


def test_a_category_mix_that_cannot_be_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"generation\.categories: 5 skills of different categories .* there are 4"):
        Combinations(taxonomy(20, 4), "skill_mix", "topic", {5: 1.0}, 0, categories="different")
    with pytest.raises(ConfigError, match=r"generation\.categories: 6 skills of same .* no category has more than 5"):
        Combinations(taxonomy(20, 4), "skill_mix", "topic", {6: 1.0}, 0, categories="same")


def share_with(cells: list[Cell], name: str) -> float:
    return sum(any(skill.name == name for skill in cell.skills) for cell in cells) / len(cells)


def test_a_weight_makes_its_skill_as_much_more_frequent() -> None:
    tax = taxonomy(100)
    weights = {"skill 0007": 5.0, "skill 0008": 0.2}
    plan = Combinations(tax, "skill_mix", "topic", {2: 1.0}, 1, weights=weights)
    cells = list(plan.cells())
    assert len({cell.key for cell in cells}) == len(cells)  # still without repeats
    usual = sum(share_with(cells, skill.name) for skill in tax.skills[10:]) / 90
    assert share_with(cells, "skill 0007") / usual == pytest.approx(5, rel=0.1)
    assert share_with(cells, "skill 0008") / usual == pytest.approx(0.2, rel=0.3)


def test_weights_leave_the_shares_of_a_mixture_alone() -> None:
    weights = {f"skill {i:04}": 3.0 for i in range(20)}
    plan = Combinations(taxonomy(100), "skill_mix", "topic", {1: 0.02, 2: 0.49, 3: 0.49}, 1, weights=weights)
    ks = Counter(cell.k for cell in plan.cells())
    assert ks[2] / ks[3] == pytest.approx(1, rel=0.1)


def test_a_weight_of_zero_takes_the_skill_out_of_the_space() -> None:
    zero = {f"skill {i:04}": 0.0 for i in range(990)}
    plan = Combinations(taxonomy(1000), "skill_mix", "topic", {4: 1.0}, 1, weights=zero)
    assert plan.size == plan.survivors == 210 * 3
    assert len(plan.skills) == 10


def test_equal_weights_change_nothing() -> None:
    tax = taxonomy(20)
    twice = {skill.name: 2.0 for skill in tax.skills}
    assert list(Combinations(tax, "skill_mix", "topic", {2: 1.0}, 1, weights=twice).cells()) == list(
        Combinations(tax, "skill_mix", "topic", {2: 1.0}, 1).cells()
    )


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            {"skil 0007": 2.0},
            r"generation\.weights: 'skil 0007' is no skill of the taxonomy, did you mean 'skill 0007'",
        ),
        ({f"skill {i:04}": 1000.0 for i in range(4)}, r"generation\.weights: one cell in .* would be kept"),
    ],
)
def test_weights_that_cannot_be_are_named(weights: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Combinations(taxonomy(100), "skill_mix", "topic", {4: 1.0}, 1, weights=weights)


def test_strong_weights_skip_a_bounded_share_of_positions() -> None:
    weights = {f"skill {i:04}": 8.0 for i in range(300)}
    plan = Combinations(taxonomy(3000, topics=100), "skill_mix", "topic", {4: 1.0}, 1, weights=weights)
    cells = list(islice(plan.cells(), 200))
    assert cells[-1].index < 200 * 8**4  # positions that the weights skipped are few enough to go through
    heavy = np.mean([skill.name < "skill 0300" for cell in cells for skill in cell.skills])
    assert heavy == pytest.approx(8 * 300 / (8 * 300 + 2700), abs=0.06)
