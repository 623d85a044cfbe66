"""Properties of grading that hold for any reply and any points."""

import asyncio
import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_teacher import Scripted

from skillmill.data.export.grading_counts import TAKEN_OFF
from skillmill.data.records import Sample
from skillmill.data.schemas import GRADING_SCHEMA, SAMPLE_SCHEMA
from skillmill.data.text.sentences import count_published_sentences, count_sentences
from skillmill.filters.grading.evidence import occurs
from skillmill.filters.grading.grade import Grader, SingleGrading, grade
from skillmill.filters.grading.points import OTHER_CRITERIA, Points, SkillPoint, majority_points
from skillmill.filters.grading.reading import points_in_prose
from skillmill.filters.grading.rules import points_by_rules
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Topic
from skillmill.teachers.base import Sampling
from skillmill.train.evaluation.skill_mix_metrics import majority_per_text

SKILLS = (Skill(name="metaphor"), Skill(name="on_topic"), Skill(name="loud", checker="exclamation"))
CELLS = [
    Cell("skill_mix", 0, SKILLS, Topic(name="chess"), None, 7),
    Cell("instruct_skill_mix", 0, SKILLS, None, QueryType(name="Advice"), 7),
]
KEYS = "skills metaphor on_topic makes_sense within_limit point shown evidence skill helpful".split()
TEXT = st.one_of(
    st.text(alphabet=st.characters(), max_size=40),
    st.sampled_from(["| a | 1 |", "|", "---", "Point: 1/1", "{", "\ud800", "9" * 5000, "1e999", "Total: 3", "yes"]),
)
LEAVES = st.one_of(TEXT, st.none(), st.booleans(), st.integers(), st.floats())
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(KEYS), TREES).map(json.dumps)
HALVES = st.builds(lambda text, share: text[: int(len(text) * share)], OBJECTS, st.floats(0, 1))
REPLIES = st.lists(st.one_of(OBJECTS, HALVES, TEXT, st.lists(TEXT).map("\n".join)), min_size=1, max_size=3)


def graded(sample: Sample, cell: Cell, replies: list[str]) -> tuple[Sample, list[SingleGrading]]:
    remaining = iter(replies)
    teacher = Scripted(lambda question, seed: next(remaining))
    return asyncio.run(grade(sample, cell, Grader(teacher, Sampling(), runs=len(replies))))


@given(st.sampled_from(CELLS), st.text(alphabet=st.characters(), min_size=1, max_size=40), REPLIES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_reply_gives_no_grade_or_one_that_can_be_stored(cell: Cell, text: str, replies: list[str]) -> None:
    text = text.encode("utf-8", "replace").decode()
    sample, gradings = graded(Sample("Why?", text), cell, replies)
    assert [grading.run for grading in gradings] == list(range(len(replies)))
    rows = [grading.as_row("id") for grading in gradings]
    stored = GRADING_SCHEMA.empty_table().from_pylist(rows, schema=GRADING_SCHEMA)
    assert stored.to_pylist() == rows
    assert (sample.grade is None) == all(grading.points is None for grading in gradings)
    SAMPLE_SCHEMA.empty_table().select(["grade"]).from_pylist([{"grade": sample.grade}])
    if sample.grade is not None:
        skill_points = [skill["point"] for skill in sample.grade["skills"]]
        given_points = skill_points + [sample.grade[name] for name in OTHER_CRITERIA]
        assert [skill["skill"] for skill in sample.grade["skills"]] == [skill.name for skill in SKILLS]
        assert set(given_points) <= {0.0, 1.0}
        assert sample.grade["total"] == sum(given_points)
    counts = {name for name in sample.signals if name.startswith(TAKEN_OFF)}
    assert all(0 <= value <= 1 for name, value in sample.signals.items() if name not in counts)
    assert all(0 < sample.signals[name] <= len(replies) * len(SKILLS) for name in counts)


POINT = st.sampled_from([0.0, 0.5, 1.0])
GRADINGS = st.integers(1, 3).flatmap(
    lambda k: st.lists(st.lists(POINT, min_size=k + 3, max_size=k + 3), min_size=1, max_size=5)
)


@given(GRADINGS)
def test_the_majority_equals_that_of_the_metrics(table: list[list[float]]) -> None:
    gradings = [
        Points(tuple(SkillPoint(f"s{i}", point) for i, point in enumerate(row[:-3])), row[-3], row[-2], row[-1])
        for row in table
    ]
    found = majority_points(gradings).as_grade()
    expected = majority_per_text(np.array(table), np.zeros(len(table), np.int64))[0].tolist()
    assert [skill["point"] for skill in found["skills"]] + [found[name] for name in OTHER_CRITERIA] == expected
    assert math.isclose(found["total"], sum(expected))


@given(st.text(alphabet="bc .\"'“”*\n", max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_two_words_in_sequence_of_a_text_occur_in_it(text: str, start: int, stop: int) -> None:
    words = text.split()[start:stop]
    piece = " ".join(words)
    if len(words) > 1 and all(word.strip("\"'“”*.") for word in words):
        assert occurs(piece, text)
    assert not occurs(piece, "")


PIECES = ["The dog ran.", "it ran;", "“Did Mrs. Low see it?”", "7 did!", "Not I –"]


@given(st.lists(st.sampled_from(PIECES), max_size=9).map(" ".join))
def test_of_prose_the_published_count_is_never_the_stricter(text: str) -> None:
    assert count_published_sentences(text) <= count_sentences(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("One. Two! Three?", 3),
        ('"One." "Two."', 2),
        ("Dr. No and Mrs. Yes met Prof. Who.", 1),
        ("One; two: three – four.", 1),
        ("It rained. then it stopped. 7 came.", 1),
    ],
)
def test_sentences_as_published(text: str, count: int) -> None:
    assert count_published_sentences(text) == count


@given(st.text(alphabet=st.characters(), max_size=200), st.text(alphabet=st.characters(), max_size=60))
def test_rules_take_any_text(response: str, instruction: str) -> None:
    skills = (Skill(name="loud", checker="exclamation"), Skill(name="ring", checker="ring composition"))
    for cell in (
        Cell("skill_mix", 0, skills, Topic(name="chess"), None, 7),
        Cell("instruct_skill_mix", 0, skills, None, None, 7),
    ):
        points = points_by_rules(Sample(instruction, response), cell)
        assert 0 <= points.total <= 5
        assert all((each.point == 1) == (each.evidence is not None) for each in points.skills)


@pytest.mark.parametrize("piece", ["|", "| 1 ", "a: 1\n", ": ", "1/", "{", '{"skills": ', "- ", "*", "“"])
def test_a_long_reply_does_not_hang_the_reader(piece: str) -> None:
    """A pattern with quadratic time would run into the timeout of every test, on any machine."""
    text = piece * (100_000 // len(piece))
    assert all(0 <= point <= 1 for point in points_in_prose(text))
    for cell in CELLS[:2]:
        sample, gradings = graded(Sample("Why?", text), cell, [text])
        assert (sample.grade is None) == all(grading.points is None for grading in gradings)
