"""Grading with a scripted grader: how its replies become points."""

import asyncio
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from scripted_teacher import Scripted

from skillmill.data.errors import ConfigError
from skillmill.data.reasons import BAD_REQUEST
from skillmill.data.records import Sample
from skillmill.filters.grading.config import GradingConfig, RubricName
from skillmill.filters.grading.grade import Grader, SingleGrading, grade, should_grade, without_grade
from skillmill.filters.grading.points import OTHER_CRITERIA
from skillmill.filters.grading.rubric import grading_prompts
from skillmill.filters.rows.too_short import TooShort
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Topic
from skillmill.teachers.base import RequestFailed, Sampling

METAPHOR = Skill(name="metaphor", definition="Speaking of one thing as another.", example="Time is a thief.")
HERRING = Skill(name="Red Herring", definition="Bringing up what does not matter.")
TEXT_CELL = Cell("skill_mix", 0, (METAPHOR, HERRING), Topic(name="Chess"), None, 7)
ROW_CELL = Cell("instruct_skill_mix", 0, (METAPHOR, HERRING), None, QueryType(name="Advice"), 7)

TEXT = Sample("Write about chess.", "Her knight was a thief in the night, and is it not warm today?")
ROW = Sample(
    "How do I tell my flatmates about the milk?",
    "Pick a quiet evening.  Say “what you saw”, and let the carton be the **witness**.",
    finish_reason="stop",
)
FULL = {"on_topic": 1, "makes_sense": 1, "within_limit": 1}
FINE = dict.fromkeys("plausible self_contained answerable helpful correct complete".split(), True)


def skill(evidence: str, point: object) -> dict[str, object]:
    return {"evidence": evidence, "point": point}


def graded(
    sample: Sample,
    cell: Cell,
    *replies: object,
    known_replies: dict[int, str] | None = None,
    rubric: RubricName = "structured",
) -> tuple[Sample, list[SingleGrading], Scripted]:
    """The sample graded once for each reply."""
    turn = count()
    teacher = Scripted(lambda question, seed: replies[next(turn)], name="grader")
    grader = Grader(teacher, Sampling(), runs=len(replies) + len(known_replies or {}), rubric=rubric)
    return *asyncio.run(grade(sample, cell, grader, known_replies)), teacher


def points(sample: Sample) -> list[float]:
    assert sample.grade is not None
    others = [sample.grade[name] for name in OTHER_CRITERIA]
    return [*(each["point"] for each in sample.grade["skills"]), *others, sample.grade["total"]]


def test_the_messages_are_those_of_the_folder_of_prompts(tmp_path: Path) -> None:
    (tmp_path / "instruct.jinja").write_text("Only what is asked for counts.")
    teacher = Scripted(lambda question, seed: {"skills": {}, **FINE}, name="grader")
    asyncio.run(grade(ROW, ROW_CELL, Grader(teacher, Sampling(), prompts=grading_prompts(str(tmp_path)))))
    (request,) = teacher.asked
    assert request.messages[0]["content"] == "Only what is asked for counts."
    assert ROW.instruction in request.messages[1]["content"]


def test_a_prompt_that_replaces_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "grade.jinja").write_text("")
    with pytest.raises(ConfigError, match=r"^evaluate\.prompts: .*grade\.jinja replaces no prompt, expected one of"):
        grading_prompts(str(tmp_path), "evaluate.prompts")


def test_k_plus_three_points_and_a_total_that_is_computed() -> None:
    reply = {"skills": {"metaphor": skill("a thief in the night", 1), "Red Herring": skill("", 0)}, **FULL, "total": 99}
    sample, [grading], _ = graded(TEXT, TEXT_CELL, reply)
    assert points(sample) == [1, 0, 1, 1, 1, 4]
    assert sample.grader == "grader"
    assert sample.grade and sample.grade["skills"] == [
        {"skill": "metaphor", "point": 1.0, "evidence": "a thief in the night"},
        {"skill": "Red Herring", "point": 0.0, "evidence": None},
    ]
    assert grading.as_row("id")["grade"] == sample.grade
    assert '"total":99' in (grading.raw or "")


@pytest.mark.parametrize("within_limit", [0, 1])
def test_no_grader_decides_the_sentence_point(within_limit: int) -> None:
    two = Sample("", "Her knight was a thief. It struck at night.")
    reply = {"skills": {"metaphor": skill("", 1), "red herring": skill("", 1)}, **FULL, "within_limit": within_limit}
    assert points(graded(two, TEXT_CELL, reply)[0])[4] == 0
    assert points(graded(TEXT, TEXT_CELL, reply | {"within_limit": 0})[0])[4] == 1


TABLE = """Here is the rubric table:

| Criteria | Points Earned |
|---|---|
| Correctly illustrates metaphor | 1/1 |
| Correctly illustrates red herring | 0 |
| Pertains to chess | **1** |
| Text makes sense | 1 |
| At most one sentence | 0 |
| Total Points Earned | 5 |

Explanation: the thief is a metaphor: 1."""
LINES = "1. Contains metaphor\nPoint earned: 1\n2. Contains red herring\nPoint earned: 0/1\nTopic: 1\nGrade: 2"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (TABLE, [1, 0, 1, 1, 1, 4]),
        (LINES, [1, 0, 1, 0, 1, 3]),  # too few points: missing ones are 0
        ("| a | 1 |\n" * 9, [1, 1, 1, 1, 1, 5]),  # too many points: the rest is ignored
        ({"skills": [{"skill": "METAPHOR", "point": "1/1"}], "on_topic": "yes"}, [1, 0, 1, 0, 1, 3]),
        ({"skills": {"metaphor": True, "red_herring": 7}, **FULL}, [1, 1, 1, 1, 1, 5]),
        ({"skills": {"metaphor": 0.5}, **FULL}, [0, 0, 1, 1, 1, 3]),  # half rounds to 0
        ('Sure!\n```json\n{"skills": {"metaphor": {"point": 1}}, "makes_sense": 0}\n```', [1, 0, 0, 0, 1, 2]),
    ],
)
def test_replies_in_any_form(reply: object, expected: list[float]) -> None:
    sample, _, _ = graded(TEXT, TEXT_CELL, reply, rubric="paper")
    assert points(sample) == expected
    without_evidence, _, _ = graded(TEXT, TEXT_CELL, reply)
    assert points(without_evidence)[:2] == [0, 0]
    assert points(without_evidence)[2:5] == expected[2:5]


OTHERS = '{"skills": {"juggling": {\n"point": 1\n}, "irony": 1}, "on_topic": 1, "makes_sense": 1, "helpful": true}'


@pytest.mark.parametrize("cell", [TEXT_CELL, ROW_CELL])
@pytest.mark.parametrize(
    "reply", ["", "I would rather not.", "{", "Grade: 5", '{"skills": {}}', '{"total": 5}', OTHERS]
)
def test_an_unreadable_reply_is_kept_and_gives_no_grade(cell: Cell, reply: str) -> None:
    sample, [grading], _ = graded(TEXT, cell, reply)
    assert (sample.grade, sample.grader) == (None, "grader")
    assert (grading.points, grading.raw) == (None, reply)


def test_the_majority_of_the_gradings_that_can_be_read() -> None:
    yes = {"skills": {"metaphor": skill("a thief", 1), "red herring": skill("warm today", 1)}, **FULL}
    no = {"skills": {"metaphor": skill("", 0), "red herring": skill("", 0)}, **FULL}
    sample, gradings, teacher = graded(TEXT, TEXT_CELL, yes, no, "what?", yes)
    assert points(sample) == [1, 1, 1, 1, 1, 5]
    assert [grading.points is None for grading in gradings] == [False, False, True, False]
    assert len({request.seed for request in teacher.asked}) == 4
    assert points(graded(TEXT, TEXT_CELL, yes, no)[0]) == [0, 0, 1, 1, 1, 3]  # half rounds to 0


def test_a_failed_request_does_not_reject_the_row() -> None:
    sample, [grading], _ = graded(TEXT, TEXT_CELL, RequestFailed(BAD_REQUEST, "HTTP 400"))
    assert sample.accepted
    assert (sample.grade, sample.grader) == (None, "grader")
    assert (grading.points, grading.raw) == (None, None)


def test_known_replies_are_not_requested_again() -> None:
    yes = {"skills": {"metaphor": skill("a thief", 1), "red herring": skill("", 1)}, **FULL}
    first, [grading], _ = graded(TEXT, TEXT_CELL, yes)
    again, [same], teacher = graded(TEXT, TEXT_CELL, known_replies={0: grading.raw or ""})
    assert (again, same) == (first, grading)
    assert not teacher.asked


def test_evidence_is_kept_if_it_occurs_in_the_text() -> None:
    skills = {"metaphor": skill("“A THIEF in the\n night…”", 1), "red herring": skill("the bishop", 1)}
    reply = {"skills": skills, **FULL}
    sample, _, _ = graded(TEXT, TEXT_CELL, reply, rubric="paper")
    assert sample.grade and [s["evidence"] for s in sample.grade["skills"]] == ["“A THIEF in the\n night…”", None]
    assert points(sample)[:2] == [1, 1]  # Skill-Mix's rubric asks for no evidence


@pytest.mark.parametrize(
    ("evidence", "counts"),
    [
        ("say what you saw", True),
        ("Say 'what you   saw'", True),
        ("the carton be the witness.", True),
        ("be the carton", False),
        ("evening", False),  # a single word
        ("", False),
        ("…", False),
    ],
)
def test_a_skill_of_an_answer_counts_if_its_evidence_occurs_there(evidence: str, counts: bool) -> None:
    reply = {"skills": {"metaphor": {"evidence": evidence, "shown": True}}, **FINE}
    sample, _, _ = graded(ROW, ROW_CELL, reply)
    assert points(sample)[:2] == [counts, 0]


@pytest.mark.parametrize(
    ("wrong", "lost"),
    [("helpful", 2), ("correct", 2), ("plausible", 3), ("self_contained", 3), ("answerable", 3), ("complete", 4)],
)
def test_each_subpoint_of_a_row_belongs_to_one_point_of_its_grade(wrong: str, lost: int) -> None:
    sample, _, _ = graded(ROW, ROW_CELL, {"skills": {}, **FINE, wrong: False})
    assert [i for i, point in enumerate(points(sample)[:5]) if i > 1 and not point] == [lost]
    assert sample.signals[f"grade:{wrong}"] == 0
    assert sum(sample.signals.values()) == 5
    assert without_grade(sample) == ROW


def test_an_answer_that_was_cut_off_is_not_complete() -> None:
    cut = Sample(ROW.instruction, ROW.response, finish_reason="length")
    assert points(graded(cut, ROW_CELL, {"skills": {}, **FINE})[0])[4] == 0


def test_what_the_grader_sees() -> None:
    full = {"skills": {"metaphor": skill("", 1)}, **FULL}
    for_text = graded(TEXT, TEXT_CELL, full)[2].asked[0]
    for_row = graded(ROW, ROW_CELL, {"skills": {}, **FINE})[2].asked[0]
    shown = for_text.messages[-1]["content"]
    for piece in ("Chess", "one sentence", METAPHOR.definition[:-1], METAPHOR.example, HERRING.name, TEXT.response):
        assert piece in shown
    assert shown.index(METAPHOR.example) < shown.index(TEXT.response)  # what several texts of a cell share comes first
    for piece in (METAPHOR.definition[:-1], ROW.instruction, ROW.response):
        assert piece in for_row.messages[-1]["content"]
    assert for_text.messages[0] == graded(Sample("", "Other."), TEXT_CELL, full)[2].asked[0].messages[0]
    assert {for_text.stage, for_row.stage} == {"grade"}
    schema: dict[str, Any] = for_text.json_schema or {}
    assert list(schema["properties"]["skills"]["properties"]) == ["metaphor", "Red Herring"]


def test_teacher_text_is_no_template() -> None:
    sample = Sample("{{ 7 * 7 }}", "{% raw %} {{ skills }}")
    message = graded(sample, ROW_CELL, {"skills": {}, **FINE})[2].asked[0].messages[-1]["content"]
    assert "{{ 7 * 7 }}" in message
    assert "{% raw %} {{ skills }}" in message


def test_which_rows_are_graded() -> None:
    def wanted(when: str, **signals: float) -> bool:
        config = GradingConfig.model_validate({"when": when})
        return should_grade(Sample("Why?", "Because.", signals=signals), config)

    assert not wanted("never", shirker_score=0.9)
    assert wanted("always", shirker_score=0.01)
    assert not wanted("unsure", shirker_score=0.19)
    assert wanted("unsure", shirker_score=0.2)
    assert wanted("unsure")  # no shirker score, as for Skill-Mix
    rejected = Sample("Why?", "Because.", reasons=(TooShort.reason,))
    assert not should_grade(rejected, GradingConfig(when="always"))
