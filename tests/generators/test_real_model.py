"""Both generators on the embedded model: real replies in the requested form, with a small token budget."""

import asyncio
from collections.abc import Iterator

import pytest

from skillmill.data.reasons import UNPARSABLE
from skillmill.data.records import Sample
from skillmill.filters.apply import apply_filters
from skillmill.filters.config import FiltersConfig
from skillmill.filters.rows.too_many_sentences import TooManySentences
from skillmill.generators.base import Generator
from skillmill.generators.instruct_skill_mix import InstructSkillMix
from skillmill.generators.pairs.shirkers import shirker_answer
from skillmill.generators.skill_mix import SkillMix
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Topic
from skillmill.teachers.base import Sampling
from skillmill.teachers.engines.embedded import Embedded

pytestmark = pytest.mark.model

SAMPLING = Sampling.model_validate({"temperature": 0.5, "top_p": 0.9, "max_tokens": 160, "repeat_penalty": 1.08})
SKILLS = (
    Skill(name="metaphor", definition="speaking of one thing by naming another"),
    Skill(name="prioritization", definition="deciding what matters most and doing it first"),
)


@pytest.fixture(scope="module")
def teacher() -> Iterator[Embedded]:
    engine = Embedded(model=None, max_in_flight=4, engine_args={})
    yield engine
    engine.close()


def made(generator: Generator, teacher: Embedded, cells: list[Cell]) -> list[Sample]:
    async def rows() -> list[list[Sample]]:
        return await asyncio.gather(*[generator.make(cell, teacher) for cell in cells])

    samples = zip(cells, asyncio.run(rows()), strict=True)
    return [apply_filters(each, cell, FiltersConfig()) for cell, group in samples for each in group]


def test_instructions_and_answers(teacher: Embedded) -> None:
    advice = QueryType(name="Advice", definition="the user wants advice", min_words=20)
    cells = [Cell("instruct_skill_mix", i, SKILLS, None, advice, seed=i) for i in range(6)]
    samples = made(InstructSkillMix(SAMPLING), teacher, cells)
    assert len(samples) == len(cells)
    for sample in samples:
        assert UNPARSABLE not in sample.reasons
        assert sample.instruction[-1] in "?."
        assert sample.completion_tokens > 20
    assert any(sample.accepted for sample in samples)  # about two of three are


def test_short_texts(teacher: Embedded) -> None:
    cells = [Cell("skill_mix", i, SKILLS, Topic(name="chess"), None, seed=i) for i in range(2)]
    samples = made(SkillMix(SAMPLING), teacher, cells)
    for sample in samples:
        assert UNPARSABLE not in sample.reasons
        assert TooManySentences.reason not in sample.reasons
        assert sample.draft and sample.explanation


def test_a_junk_answer(teacher: Embedded) -> None:
    question = "How should I prepare for a chess tournament?"
    reply = asyncio.run(shirker_answer("junk", "instruct_skill_mix", question, teacher, SAMPLING, 1))
    assert reply.text
    assert reply.completion_tokens <= 160
