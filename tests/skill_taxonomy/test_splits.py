"""Held-out skills and topics are in no training cell, under any of their names."""

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.curation.edit import edit_text
from skillmill.skill_taxonomy.draw.combinations import Combinations
from skillmill.skill_taxonomy.draw.thinning import CategoryMix
from skillmill.skill_taxonomy.formats import read_taxonomy, taxonomy_text
from skillmill.skill_taxonomy.splits import By, hold_out, members
from skillmill.skill_taxonomy.taxonomy import Skill, Split, Taxonomy, Topic, canonical, fingerprint

BY = st.sampled_from(["category", "skill", "topic"])
SHARES = st.sampled_from([0.0, 0.1, 0.3, 0.5])


@st.composite
def taxonomies(draw: st.DrawFn) -> Taxonomy:
    """Up to 24 skills in up to 6 categories, some of which share an alias, and up to 8 topics."""
    alias = st.lists(st.sampled_from(["one", "One", "two", "skill 03", "SKILL_05"]), max_size=2, unique_by=canonical)
    return Taxonomy(
        skills=tuple(
            Skill(name=f"skill {i:02}", category=f"category {draw(st.integers(0, 5))}", aliases=tuple(draw(alias)))
            for i in range(draw(st.integers(6, 24)))
        ),
        topics=tuple(Topic(name=f"topic {i}") for i in range(draw(st.integers(2, 8)))),
    )


def names_of(skill: Skill) -> set[str]:
    return {canonical(name) for name in (skill.name, *skill.aliases)}


@settings(max_examples=150)
@given(
    taxonomies(),
    BY,
    SHARES,
    SHARES,
    st.integers(0, 2**32),
    st.sampled_from(["any", "same", "different"]),
    st.integers(1, 3),
)
def test_a_training_cell_never_contains_what_is_held_out(
    taxonomy: Taxonomy, by: By, test: float, validation: float, seed: int, categories: CategoryMix, k: int
) -> None:
    try:
        held = hold_out(taxonomy, by, {"test": test, "validation": validation}, seed)
        plan = Combinations(held, "skill_mix", "topic", {k: 1.0}, seed, categories=categories)
    except ConfigError:
        return  # everything hangs together by aliases, or too little is left for this k
    forbidden = set().union(*(names_of(skill) for skill in held.skills if skill.split != "train"))
    forbidden_topics = {topic.name for topic in held.topics if topic.split != "train"}
    for cell in islice(plan.cells(), 100):
        assert cell.split == "train"
        assert not any(names_of(skill) & forbidden for skill in cell.skills)
        assert cell.topic is not None
        assert cell.topic.name not in forbidden_topics
    assert not {skill.name for skill in plan.skills} & {skill.name for skill in held.skills if skill.split != "train"}


@given(taxonomies(), st.integers(0, 2**32))
def test_a_hand_written_split_holds_too(taxonomy: Taxonomy, seed: int) -> None:
    """A person may mark one skill and forget the one that shares its alias."""
    marked = taxonomy.skills[0].model_copy(update={"split": "test"})
    held = taxonomy.model_copy(update={"skills": (marked, *taxonomy.skills[1:])})
    try:
        plan = Combinations(held, "skill_mix", "topic", {1: 1.0}, seed)
    except ConfigError:
        return
    assert not any(names_of(skill) & names_of(marked) for cell in plan.cells() for skill in cell.skills)


FORTY = Taxonomy(
    skills=tuple(Skill(name=f"skill {i:02}", category=f"category {i % 8}") for i in range(40)),
    topics=tuple(Topic(name=f"topic {i:02}") for i in range(20)),
)


def held_names(taxonomy: Taxonomy, split: str = "test") -> set[str]:
    entries: tuple[Skill | Topic, ...] = (*taxonomy.skills, *taxonomy.topics)
    return {entry.name for entry in entries if entry.split == split}


def test_whole_categories_go_and_the_share_is_met_as_closely_as_they_allow() -> None:
    held = hold_out(FORTY, "category", {"test": 0.3, "validation": 0.1}, seed=7)
    splits = {
        category: {s.split for s in held.skills if s.category == category}
        for category in {s.category for s in held.skills}
    }
    assert all(len(split) == 1 for split in splits.values())
    assert sum(skill.split == "test" for skill in held.skills) == 10  # 12 wanted, categories of 5
    assert sum(skill.split == "validation" for skill in held.skills) == 5
    assert all(topic.split == "train" for topic in held.topics)


def test_named_categories_are_held_out() -> None:
    """As the paper does: train on literary and rhetorical skills, hold out the other categories."""
    held = hold_out(FORTY, "category", {}, 0, names=["Category 3", "category_4"])
    assert {skill.category for skill in held.skills if skill.split == "test"} == {"category 3", "category 4"}


@pytest.mark.parametrize("by", ["category", "skill", "topic"])
def test_a_split_is_frozen_asking_again_changes_nothing(by: By) -> None:
    once = hold_out(FORTY, by, {"test": 0.3}, seed=7)
    assert hold_out(once, by, {"test": 0.3}, seed=7) == once
    assert hold_out(once, by, {"test": 0.3}, seed=8) == once
    assert held_names(once) < held_names(hold_out(once, by, {"test": 0.6}, seed=9))


def test_same_seed_same_split_another_seed_another() -> None:
    assert hold_out(FORTY, "skill", {"test": 0.3}, 1) == hold_out(FORTY, "skill", {"test": 0.3}, 1)
    assert hold_out(FORTY, "skill", {"test": 0.3}, 1) != hold_out(FORTY, "skill", {"test": 0.3}, 2)


def test_a_new_skill_does_not_draw_the_others_anew() -> None:
    more = FORTY.model_copy(update={"skills": (*FORTY.skills, Skill(name="a new one", category="category 0"))})
    before, after = (held_names(hold_out(taxonomy, "skill", {"test": 0.3}, 1)) for taxonomy in (FORTY, more))
    assert len(before ^ after) <= 2


def test_a_split_changes_the_fingerprint_and_survives_the_file() -> None:
    held = hold_out(FORTY, "topic", {"test": 0.5}, seed=7)
    assert fingerprint(held) != fingerprint(FORTY)
    text, commented = edit_text(taxonomy_text(FORTY), FORTY, held)
    assert commented
    assert read_taxonomy(text, "") == held


def cells(taxonomy: Taxonomy, split: Split) -> list[Cell]:
    return list(islice(Combinations(taxonomy, "skill_mix", "topic", {2: 1.0}, 0, split=split).cells(), 200))


def test_test_cells_are_of_held_out_skills_and_held_out_topics() -> None:
    both = hold_out(hold_out(FORTY, "category", {"test": 0.3}, 7), "topic", {"test": 0.5}, 7)
    test = cells(both, "test")
    assert test
    assert all(cell.split == "test" for cell in test)
    assert all(skill.split == "test" for cell in test for skill in cell.skills)
    assert all(cell.topic and cell.topic.split == "test" for cell in test)
    assert not {cell.key for cell in test} & {cell.key for cell in cells(both, "train")}


def test_where_only_topics_are_held_out_test_cells_have_training_skills() -> None:
    topics = hold_out(FORTY, "topic", {"test": 0.5}, 7)
    assert members(topics, "test") == (members(topics)[0], [topic for topic in topics.topics if topic.split == "test"])
    with pytest.raises(ConfigError, match="nothing is held out for validation"):
        members(topics, "validation")


@pytest.mark.parametrize(
    ("by", "shares", "names", "message"),
    [
        (
            "category",
            {},
            ["categry 3"],
            "--hold categry 3: the taxonomy has no such category, did you mean 'category 3'",
        ),
        ("skill", {}, [f"skill {i:02}" for i in range(40)], "every skill would be held out"),
        ("topic", {"test": 0.6, "validation": 0.4}, [], "every topic would be held out"),
    ],
)
def test_a_split_that_cannot_be_is_a_configuration_error(
    by: By, shares: dict[Split, float], names: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        hold_out(FORTY, by, shares, 7, names)
