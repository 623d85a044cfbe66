"""Both rubrics with the embedded model: its replies can be read."""

import asyncio
from collections.abc import Iterator

import pytest

from skillmill.data.records import Sample
from skillmill.filters.grading.evidence import occurs
from skillmill.filters.grading.grade import Grader, SingleGrading, grade
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Topic
from skillmill.teachers.base import Sampling
from skillmill.teachers.engines.embedded import Embedded

pytestmark = pytest.mark.model

SKILLS = (
    Skill(name="metaphor", definition="speaking of one thing by naming another"),
    Skill(name="prioritization", definition="deciding what matters most and doing it first"),
)
CELLS = {
    "skill_mix": Cell("skill_mix", 0, SKILLS, Topic(name="chess"), None, 7),
    "instruct_skill_mix": Cell("instruct_skill_mix", 0, SKILLS, None, QueryType(name="Advice"), 7),
}
SAMPLE = Sample(
    "How do I get better at chess in a month?",
    "Study endgames first, for they are the bones of the game. Leave the openings for later.",
    finish_reason="stop",
)


@pytest.fixture(scope="module")
def model() -> Iterator[Embedded]:
    engine = Embedded(model=None, max_in_flight=4, engine_args={})
    yield engine
    engine.close()


@pytest.mark.parametrize("kind", list(CELLS))
def test_a_small_model_keeps_to_the_form(model: Embedded, kind: str) -> None:
    grader = Grader(model, Sampling.model_validate({"temperature": 0.5, "max_tokens": 250}), runs=3)

    async def graded() -> tuple[Sample, list[SingleGrading]]:
        return await grade(SAMPLE, CELLS[kind], grader)

    sample, gradings = asyncio.run(graded())
    assert all(grading.points for grading in gradings), [grading.raw for grading in gradings]
    assert sample.grade and [skill["skill"] for skill in sample.grade["skills"]] == [skill.name for skill in SKILLS]
    assert 0 <= sample.grade["total"] <= 5
    assert all(occurs(skill["evidence"], SAMPLE.response) for skill in sample.grade["skills"] if skill["evidence"])
