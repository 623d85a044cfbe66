"""Points of skills need a quotation from the answer; what is taken off is counted by reason."""

import asyncio
from collections.abc import Sequence
from itertools import repeat

import pytest
from scripted_teacher import Scripted

from skillmill.data.export.grading_counts import points_taken_off
from skillmill.data.records import Sample
from skillmill.filters.grading.config import RubricName
from skillmill.filters.grading.evidence import fault_of, with_evidence
from skillmill.filters.grading.grade import Grader, grade, without_grade
from skillmill.filters.grading.points import SkillPoint
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import Skill, Topic
from skillmill.teachers.base import Sampling

TEXT = (
    "Her knight was a **thief** in the night. It struck – quietly… while the king’s guard slept; a red herring, surely!"
)
ONE = "Time is a thief, and it steals from every house."
CHINESE = "时间是一个小偷，它从每个家里偷东西。"


@pytest.mark.parametrize(
    ("evidence", "fault"),
    [
        ("a thief in the night", None),
        ("“A THIEF in the\n  night…”", None),
        ("«a __thief__ in the night»", None),
        ("struck - quietly...", None),
        ("while the king's guard slept", None),
        ("Her knight … the night", None),
        ("Her knight [...] struck — quietly", None),
        (["a thief in the night", "the king’s guard slept"], None),
        (None, "no_quote"),
        ("", "no_quote"),
        ("…", "no_quote"),
        ("“”", "no_quote"),
        (1, "no_quote"),
        (True, "no_quote"),
        ([], "no_quote"),
        ([1, None], "no_quote"),
        ({"quote": "a thief in the night"}, "no_quote"),
        ("the", "too_short"),
        ("in the", "too_short"),
        ("thief", "too_short"),
        ("Her … night", "too_short"),
        (["her knight", "the"], "too_short"),
        ("a burglar in the night", "not_in_answer"),
        ("a thief of the night", "not_in_answer"),
        ("night a thief", "not_in_answer"),
        ("er knight was a thief", "not_in_answer"),
        ("her knight … the bishop", "not_in_answer"),
        (["a thief in the night", "the bishop fell"], "not_in_answer"),
        ("ein Dieb in der Nacht", "not_in_answer"),
        ("Bringing up what does not matter.", "not_in_answer"),
        ("red herring", "names_skill"),
        ("Red Herring.", "names_skill"),
        (TEXT, "whole_answer"),
        (TEXT.upper().replace("*", ""), "whole_answer"),
        (TEXT[:-8], "whole_answer"),
        (TEXT.split(". "), "whole_answer"),
    ],
)
def test_what_supports_the_point_of_a_skill(evidence: object, fault: str | None) -> None:
    reply = {"skills": {"Red Herring": {"evidence": evidence, "point": 1}}, "on_topic": 1}
    points, taken_off = graded(TEXT, ["Red Herring"], reply)
    assert points == [fault is None]
    assert taken_off == ({fault: 1} if fault else {})


@pytest.mark.parametrize(
    ("quote", "text", "fault"),
    [
        ("Time is a thief", ONE, None),
        ("it steals from every house", ONE, None),
        (ONE, ONE, "whole_answer"),
        (ONE[5:], ONE, "whole_answer"),
        ("时间是一个小偷", CHINESE, None),
        ("家里偷东西", CHINESE, None),
        (CHINESE, CHINESE, "whole_answer"),
        ("时间是一条河", CHINESE, "not_in_answer"),
        ("a thief", "a thief", "whole_answer"),
        ("a b", "", "not_in_answer"),
        ("x [" * 5000, "x [" * 4000, "not_in_answer"),
        ("](" * 50_000, "](" * 60_000, "no_quote"),
    ],
)
def test_short_and_strange_answers(quote: str, text: str, fault: str | None) -> None:
    assert fault_of([quote], "metaphor", text) == fault


def test_a_long_quotation_of_a_whole_answer_is_the_whole_answer() -> None:
    long = " ".join(f"word{i}" for i in range(200))  # more characters than are kept of a quotation
    reply = {"skills": {"a b": {"evidence": long, "point": 1}}, "on_topic": 1}
    assert graded(long, ["a b"], reply) == ([0], {"whole_answer": 1})
    assert fault_of([long[:195]], "a b", long) is None  # a schema's limit cut it inside a word


FIRST, SECOND = "Her knight was a thief in the night", "the king’s guard slept"


@pytest.mark.parametrize(
    ("quotes", "points", "taken_off"),
    [
        ([FIRST], [1], {}),
        ([FIRST, SECOND], [1, 1], {}),
        ([FIRST, FIRST], [0, 0], {"same_quote": 2}),
        ([FIRST, f"“{FIRST.upper()}.”"], [0, 0], {"same_quote": 2}),
        ([FIRST, "a thief in the night"], [0, 0], {"same_quote": 2}),
        ([FIRST, FIRST, SECOND], [1, 1, 1], {}),
        ([FIRST, FIRST, FIRST], [0, 0, 0], {"same_quote": 3}),
        ([FIRST, FIRST, None], [0, 0, 0], {"same_quote": 2}),  # None: the grader gives no point
        ([FIRST, FIRST, "", "not there at all"], [0] * 4, {"same_quote": 2, "no_quote": 1, "not_in_answer": 1}),
        ([TEXT] * 4, [0] * 4, {"whole_answer": 4}),
        ([FIRST, None, None, None], [1, 0, 0, 0], {}),
    ],
)
def test_one_passage_for_every_skill_shows_none(
    quotes: list[str | None], points: list[int], taken_off: dict[str, int]
) -> None:
    names = [f"skill {i}" for i in range(len(quotes))]
    given = [SkillPoint(name, float(quote is not None)) for name, quote in zip(names, quotes, strict=True)]
    kept, counts = with_evidence(given, [[quote] if quote else [] for quote in quotes], TEXT)
    assert [each.point for each in kept] == points
    assert counts == taken_off


def test_several_gradings_add_what_they_took_off_and_the_next_grading_forgets_it() -> None:
    empty = {"skills": {"metaphor": {"evidence": "", "point": 1}}, "on_topic": 1}
    sample = asyncio.run(graded_sample(TEXT, ["metaphor"], empty, runs=3))
    assert sample.signals == {"grade:taken_off:no_quote": 3}
    assert without_grade(sample).signals == {}


def test_the_paper_requires_no_evidence() -> None:
    reply = {"skills": {"metaphor": {"evidence": "", "point": 1}, "irony": {"evidence": TEXT, "point": 1}}}
    assert graded(TEXT, ["metaphor", "irony"], reply, rubric="paper") == ([1, 1], {})


def graded(
    text: str, skills: Sequence[str], reply: object, rubric: RubricName = "structured"
) -> tuple[list[float], dict[str, int]]:
    sample = asyncio.run(graded_sample(text, skills, reply, rubric=rubric))
    assert sample.grade
    return [each["point"] for each in sample.grade["skills"]], dict(points_taken_off(sample.signals.items()))


async def graded_sample(
    text: str, skills: Sequence[str], reply: object, runs: int = 1, rubric: RubricName = "structured"
) -> Sample:
    cell = Cell("skill_mix", 0, tuple(Skill(name=name) for name in skills), Topic(name="chess"), None, 7)
    replies = repeat(reply)
    teacher = Scripted(lambda question, seed: next(replies))
    sample, _ = await grade(Sample("Write.", text), cell, Grader(teacher, Sampling(), runs, rubric))
    return sample
