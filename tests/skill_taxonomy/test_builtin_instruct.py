"""The built-in list for instruction following: large, balanced over areas, and without duplicates."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from skillmill.data.text.phrases import phrase_pattern
from skillmill.skill_taxonomy.curation.check import find_faults
from skillmill.skill_taxonomy.draw.combinations import Combinations
from skillmill.skill_taxonomy.names import bad_name, bad_sentence, stems
from skillmill.skill_taxonomy.sources import builtin
from skillmill.skill_taxonomy.taxonomy import Skill, canonical

INSTRUCT = builtin("instruct")
SMALL_WORDS = {"a", "of", "the", "to", "in", "on", "and", "or", "for", "with", "by", "at", "from", "not"}
TWINS = 0.7
"""From this cosine of their words on, two definitions say the same; the list's closest two reach 0.6."""


def content_stems(text: str) -> frozenset[str]:
    return frozenset(stems(text)) - SMALL_WORDS


def test_the_list_is_large_and_without_findings() -> None:
    assert len(INSTRUCT.skills) >= 1000
    assert 70 <= len(INSTRUCT.topics) <= 110
    assert len(INSTRUCT.query_types) >= 15
    assert find_faults(INSTRUCT) == []


def test_no_two_names_are_the_same_words() -> None:
    seen: dict[frozenset[str], str] = {}
    for skill in INSTRUCT.skills:
        first = seen.setdefault(content_stems(skill.name), skill.name)
        assert first == skill.name, f"{skill.name!r} and {first!r} differ in order, endings or small words alone"


def test_no_two_definitions_say_the_same() -> None:
    definitions = [content_stems(skill.definition) for skill in INSTRUCT.skills]
    column = {stem: i for i, stem in enumerate(sorted(frozenset().union(*definitions)))}
    rows = np.zeros((len(definitions), len(column)), dtype=np.float32)
    for row, definition in zip(rows, definitions, strict=True):
        row[[column[stem] for stem in definition]] = len(definition) ** -0.5
    cosines = np.triu(rows @ rows.T, k=1)
    twins = [tuple(INSTRUCT.skills[i].name for i in pair) for pair in np.argwhere(cosines >= TWINS)]
    assert twins == []


def test_areas_are_even_and_name_no_skill() -> None:
    sizes = Counter(skill.category for skill in INSTRUCT.skills)
    assert [canonical(topic.name) for topic in INSTRUCT.topics] == list(sizes)
    assert min(sizes.values()) >= 8
    assert max(sizes.values()) <= 14
    areas = {content_stems(topic.name) for topic in INSTRUCT.topics}
    assert not areas & {content_stems(skill.name) for skill in INSTRUCT.skills}


@pytest.mark.parametrize("area", [topic.name for topic in INSTRUCT.topics])
def test_a_skill_is_written_as_the_prompts_use_it(area: str) -> None:
    for skill in (skill for skill in INSTRUCT.skills if skill.category == canonical(area)):
        assert fault(skill) is None, f"{skill.name}: {fault(skill)}"


def fault(skill: Skill) -> str | None:
    """What is wrong with the entry; the definition stands after "do these things" where the name must not."""
    named = phrase_pattern([skill.name])
    assert named is not None
    first = skill.definition.split()[0].rstrip(",")
    if bad_name(skill.name) or "," in skill.name or skill.name != skill.name.lower():
        return bad_name(skill.name) or "the name has a comma or a capital"
    if not 2 <= len(skill.name.split()) <= 5:
        return "the name is not of two to five words"
    if bad_sentence(skill.definition, skill.name):
        return bad_sentence(skill.definition, skill.name)
    if content_stems(skill.name) <= content_stems(skill.definition):
        return "the definition uses up the words of the name"
    if not first.endswith("ing") or not skill.definition.endswith(".") or "." in skill.definition[:-1]:
        return "the definition is not one phrase that says what to do"
    if not 8 <= len(skill.definition.split()) <= 22:
        return "the definition is not of 8 to 22 words"
    if not 5 < len(skill.example.split()) <= 14:
        return "the example is not of 6 to 14 words"
    return "the example names the skill" if named.search(skill.example) else None


@pytest.mark.parametrize(
    "broken",
    [
        {"name": "tact, warmth"},
        {"name": "tact"},
        {"definition": "Telling hard truths shows how to be softly tactful, and softening bad news is it."},
        {"definition": "Hard truths are told early and plainly with care for the reader."},
        {"definition": "Telling it."},
        {"definition": "Softening what is bad and what is news in a message for the reader."},
        {"example": "Short."},
        {"example": "I am looking for help with softening bad news to ten people."},
    ],
    ids=str,
)
def test_a_broken_entry_is_noticed(broken: dict[str, str]) -> None:
    good = next(skill for skill in INSTRUCT.skills if skill.name == "softening bad news")
    assert fault(good) is None
    assert fault(good.model_copy(update=broken)) is not None


def test_query_types_say_what_the_user_wants() -> None:
    for query_type in INSTRUCT.query_types:
        assert bad_name(query_type.name) is None
        assert query_type.definition.startswith("The user ")
        assert 25 <= query_type.min_words <= 100


def test_pairs_come_from_everywhere() -> None:
    plan = Combinations(INSTRUCT, "instruct_skill_mix", "query_type", {2: 1.0}, seed=1)
    n = len(INSTRUCT.skills)
    assert plan.size == n * (n - 1) // 2 * len(INSTRUCT.query_types)
    cells = list(islice(plan.cells(), 1000))
    areas = {skill.category for cell in cells for skill in cell.skills}
    assert len(areas) == len(INSTRUCT.topics)
