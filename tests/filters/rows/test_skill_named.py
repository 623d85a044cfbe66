"""Texts that name their skills, in any form of the name."""

import pytest
from example_rows import ANSWER, FALLACY_CELL, TEXT_CELL, reasons

from skillmill.data.records import Sample
from skillmill.filters.rows.skill_named import SkillNamed
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import Skill

SKILLS = tuple(
    Skill(name=name) for name in ("risk assessment", "perspective taking", "planning", "root-cause analysis")
)
INSTRUCTION_CELL = Cell("instruct_skill_mix", 0, SKILLS, None, None, 1)


@pytest.mark.parametrize(
    ("instruction", "named"),
    [
        ("Which risk assessments does my kitchen need?", True),
        ("How do root causes analysed by others help me?", False),  # another word than analysis
        ("Is root cause analysis right for my leaking tap?", True),
        ("What do I do about the risks assessed by my landlord?", False),
        ("Is perspective-taking something for children?", True),
        ("Are perspectives taken by children of use?", False),  # irregular: another base
        ("Does perspective takes patience?", True),
        ("How are plans made for a wedding in May?", False),  # one word: its inflections are ordinary words
        ("What is at risk when an assessment of my roof is late?", False),
        ("Is a risk\u2013assessment or a risk\u2011assessment due for my kitchen?", True),
        ("Is a risk\u00a0assess\u00adment due for my kit\u200bchen?", True),
        ("Are brisk assessments of use?", False),
        ("What perspective does a taxi driver take?", False),
    ],
)
def test_names_of_several_words_count_in_any_inflection(instruction: str, named: bool) -> None:
    assert bool(SkillNamed().check(Sample(instruction, ""), INSTRUCTION_CELL).reasons) == named


@pytest.mark.parametrize(
    ("name", "instruction", "named"),
    [
        ("planning trips", "How do I plan trips for a class?", True),
        ("planning trips", "How do planes trip a sensor?", False),
        ("critical thinking", "Does thinking critically help?", False),
        ("critical thinking", "Is critically thinking tiring?", True),
        ("storytelling & pacing", "What is storytelling and pacing?", True),
        ("cause and effect", "Is it cause & effect?", True),
        ("naïve realism", "Is nai\u0308ve realism right?", True),
        ("C++", "Is C++ hard?", True),
        ("C++", "Is C hard?", False),
        ("C", "Is C# hard?", False),
        ("类比推理", "请用类比推理解释这首诗。", True),
        ("café planning", "Is cafe\u0301 planning hard?", True),
        ("ＳＷＯＴ分析", "SWOT分析とは？", True),
        ("straße finden", "Wie geht STRASSE FINDEN?", True),
        ("metaphor", "Is *metaphor* or meta\u00adphor meant?", True),
        ("metaphor", "Is it metaphorical?", False),
    ],
)
def test_names_in_other_dress(name: str, instruction: str, named: bool) -> None:
    cell = Cell("instruct_skill_mix", 0, (Skill(name=name),), None, None, 1)
    assert bool(SkillNamed().check(Sample(instruction, ""), cell).reasons) == named


@pytest.mark.parametrize(
    ("text", "cell", "named"),
    [
        ("A red herring swam by, and the sea was a bed.", TEXT_CELL, True),
        ("Red herrings swam by, and the sea was a bed.", TEXT_CELL, True),
        ("The herring was red, and the sea was a bed.", TEXT_CELL, False),
        ("It was an accident that the sea was a bed to her.", FALLACY_CELL, True),  # up to the first "("
        ("That sweeping generalization was a bed to her.", FALLACY_CELL, True),  # an alias
        ("A metaphorical sea, by the way, was her bed.", TEXT_CELL, False),  # whole words, unlike the reference
    ],
)
def test_a_skill_named_in_a_text(text: str, cell: Cell, named: bool) -> None:
    assert ("skill_named" in reasons(text, cell)) == named


def test_instruct_skill_mix_looks_at_the_instruction() -> None:
    assert "skill_named" in reasons(ANSWER, instruction="What is a red herring, and how do I use it?")
    assert "skill_named" not in reasons(ANSWER + " That is no red herring.")


def test_aliases_can_be_left_out() -> None:
    sample = Sample("", "That sweeping generalization was a bed to her.")
    assert SkillNamed(aliases=False).check(sample, FALLACY_CELL).reasons == ()
