"""Skills with a rule are graded by the rule; a cell with only such skills sends no request."""

import asyncio

import pytest
from scripted_teacher import Scripted

from skillmill.data.records import Sample
from skillmill.filters.grading.grade import Grader, grade
from skillmill.filters.grading.points import OTHER_CRITERIA
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.sources import builtin
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Topic
from skillmill.teachers.base import Sampling

LOUD = Skill(name="loud", checker="exclamation")
CLOCK = Skill(name="clock", checker="clock time")
WIT = Skill(name="wit", definition="Being funny.")
TEXT_CELL = Cell("skill_mix", 0, (LOUD, CLOCK), Topic(name="Night trains"), None, 1)
ROW_CELL = Cell("instruct_skill_mix", 0, (LOUD, CLOCK), None, QueryType(name="Advice"), 1)


def points(sample: Sample, cell: Cell) -> list[float]:
    graded, [grading] = asyncio.run(grade(sample, cell, None))
    assert graded.grade and graded.grader == grading.grader == "rules"
    skills = [skill["point"] for skill in graded.grade["skills"]]
    return [*skills, *(graded.grade[name] for name in OTHER_CRITERIA)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The train left at 21:40!", [1, 1, 1, 1, 1]),
        ("A trained cook left late.", [0, 0, 1, 1, 1]),  # the rule compares words, not their meaning
        ("The bus left at 21:40.", [0, 1, 0, 1, 1]),
        ("The train left! It was 9 p.m.", [1, 1, 1, 1, 0]),
        ("The train left. The train left. The train left.", [0, 0, 1, 0, 0]),
    ],
)
def test_a_text(text: str, expected: list[float]) -> None:
    assert points(Sample("Write about night trains.", text), TEXT_CELL) == expected


@pytest.mark.parametrize(
    ("topic", "text", "shared"),
    [
        ("Goat herding", "The goats are herd animals.", True),
        ("Treehouses", "They lived in a tree.", True),
        ("Puppet theatres", "The play was long.", False),  # "the" begins "theatres"
        ("Bicycle repair", "The bike was mended.", False),  # rules know no synonyms
        ("The who", "Anything.", True),  # a topic without a subject word
    ],
)
def test_on_topic_is_a_shared_word_but_for_its_ending(topic: str, text: str, shared: bool) -> None:
    cell = Cell("skill_mix", 0, (LOUD,), Topic(name=topic), None, 1)
    assert points(Sample("", text), cell)[1] == shared


@pytest.mark.parametrize(
    ("instruction", "response", "expected"),
    [
        ("How do I wake up?", "Wake at 7:30 and rise!", [1, 1, 1, 1, 1]),
        ("How do I wake up?", "Bees love clover.", [0, 0, 0, 1, 1]),
        ("I have a kitten.", "Kittens purr.", [0, 0, 1, 0, 1]),  # makes no request
        ("Summarize the article below.", "The article is short.", [0, 0, 1, 0, 1]),  # the article is missing
        ("How do I wake up?", "You wake up with the", [0, 0, 1, 1, 0]),  # cut off
        ("Give me five tips to wake up.", "1. Sleep.\n2. Wake early.", [0, 0, 1, 1, 0]),
    ],
)
def test_a_row(instruction: str, response: str, expected: list[float]) -> None:
    assert points(Sample(instruction, response, finish_reason="stop"), ROW_CELL) == expected


@pytest.mark.parametrize("name", ["language", "checkable"])
def test_the_examples_of_the_skills_make_sense(name: str) -> None:
    cell = Cell("skill_mix", 0, (LOUD,), None, None, 1)
    for skill in builtin(name).skills:
        assert points(Sample("", skill.example or "A text."), cell)[2] == 1, skill.example


def test_a_short_text_that_repeats_itself_makes_no_sense() -> None:
    text = "The lightest lightest is the lightest lightest of all, and the lightest lightest is the lightest lightest."
    assert points(Sample("", text), TEXT_CELL)[3] == 0


def test_the_evidence_is_the_piece_that_the_rule_found() -> None:
    graded, _ = asyncio.run(grade(Sample("", "The train left at 21:40!"), TEXT_CELL, None))
    assert graded.grade and [skill["evidence"] for skill in graded.grade["skills"]] == ["40!", "21:40"]


def test_the_model_grades_only_the_skills_without_a_rule() -> None:
    skills = {"loud": {"point": 1}, "wit": {"evidence": "left without its wheels", "point": 1}}
    reply = {"skills": skills, "on_topic": 1, "makes_sense": 1}
    teacher = Scripted(lambda question, seed: reply)
    cell = Cell("skill_mix", 0, (LOUD, WIT), Topic(name="Night trains"), None, 1)
    graded, _ = asyncio.run(
        grade(Sample("", "The train left without its wheels, again."), cell, Grader(teacher, Sampling()))
    )
    assert graded.grade and [skill["point"] for skill in graded.grade["skills"]] == [0, 1]
    assert graded.grader == "scripted"
    [request] = teacher.asked
    assert request.json_schema and list(request.json_schema["properties"]["skills"]["properties"]) == ["wit"]
