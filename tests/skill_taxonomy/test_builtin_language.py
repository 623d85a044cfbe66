"""The built-in language list: large, well formed, and with the entries that Skill-Mix published held out."""

from collections import Counter

import pytest

from skillmill.data.text.phrases import phrase_pattern
from skillmill.skill_taxonomy.curation.check import find_faults
from skillmill.skill_taxonomy.draw.combinations import Combinations
from skillmill.skill_taxonomy.names import bad_sentence, stems
from skillmill.skill_taxonomy.sources import builtin
from skillmill.skill_taxonomy.taxonomy import Skill, canonical

LANGUAGE = builtin("language")
TRAINED = [skill for skill in LANGUAGE.skills if skill.split == "train"]
CATEGORIES = {
    "reasoning",
    "rhetorical",
    "literary",
    "logical",
    "theory of mind",
    "pragmatics",
    "physical knowledge",
}

# What Skill-Mix published (arXiv 2310.17567, github.com/LeoYu/skill-mix), by the names that it uses.
RELEASED_SKILLS = {
    "self serving bias",
    "accident (fallacy)",
    "complex question (loaded question with implicit assumption )",
    "red herring",
    "metaphor",
    "spatial reasoning",
    "modus ponens",
    "statistical syllogism",
    "emotional self regulation",
    "folk physics",
}
RELEASED_TOPICS = {
    "sewing",
    "dueling",
    "the ottoman empire",
    "urbanism",
    "beekeeping",
    "survivalism",
    "guerilla warfare",
    "triathlons",
    "gardening",
    "knots",
}
SMALL_WORDS = {"a", "of", "the", "to", "in"}
SHARED_STEMS = {"physic"}  # "folk physics" is defined by "physical events", another word with the same stem


def test_the_list_is_as_large_as_that_of_skill_mix_without_what_it_published() -> None:
    assert len(TRAINED) >= 101
    assert len([topic for topic in LANGUAGE.topics if topic.split == "train"]) >= 100
    assert len(LANGUAGE.query_types) >= 16
    assert all(query_type.definition and query_type.min_words >= 25 for query_type in LANGUAGE.query_types)
    assert find_faults(LANGUAGE) == []


def test_categories_are_balanced() -> None:
    sizes = Counter(skill.category for skill in TRAINED)
    assert set(sizes) == CATEGORIES
    assert min(sizes.values()) >= 12
    assert max(sizes.values()) <= 2 * min(sizes.values())


def test_common_skills_are_few_and_leave_every_category_others() -> None:
    common = [skill for skill in TRAINED if skill.common]
    assert 5 <= len(common) <= 17  # Skill-Mix found 17 of its 101
    assert {skill.category for skill in TRAINED if not skill.common} == CATEGORIES


@pytest.mark.parametrize("skill", LANGUAGE.skills, ids=lambda skill: skill.name)
def test_a_definition_stands_without_the_name(skill: Skill) -> None:
    assert bad_sentence(skill.definition, skill.name) is None
    assert skill.definition.endswith(".")
    assert skill.definition.count(".") == 1
    assert not set(stems(skill.name)) & set(stems(skill.definition)) - SMALL_WORDS - SHARED_STEMS
    assert any(word.endswith("ing") for word in skill.definition.rstrip(",").replace(",", "").split()[:2])
    assert 5 <= len(skill.example.split()) <= 30


@pytest.mark.parametrize("skill", LANGUAGE.skills, ids=lambda skill: skill.name)
def test_an_example_does_not_name_its_skill(skill: Skill) -> None:
    pattern = phrase_pattern([skill.name, *skill.aliases])
    assert pattern is not None
    assert pattern.search(skill.example) is None


def test_topics_name_no_skill() -> None:
    skills = {canonical(skill.name) for skill in LANGUAGE.skills}
    words = {word for topic in LANGUAGE.topics for word in [canonical(topic.name), *canonical(topic.name).split()]}
    assert not skills & words


def test_what_skill_mix_published_is_flagged_and_in_no_plan() -> None:
    skills = [skill for skill in LANGUAGE.skills if skill.released]
    topics = [topic for topic in LANGUAGE.topics if topic.released]
    assert len(skills) == len(RELEASED_SKILLS)
    assert {canonical(name) for skill in skills for name in (skill.name, *skill.aliases)} >= RELEASED_SKILLS
    assert {canonical(topic.name) for topic in topics} == RELEASED_TOPICS
    plan = Combinations(LANGUAGE, "skill_mix", "topic", {2: 1.0}, seed=1)
    assert not {skill.name for skill in skills} & {skill.name for skill in plan.skills}
    assert not {topic.name for topic in topics} & {topic.name for topic in plan.themes}
