"""Any replies of a teacher give samples that can be stored, and an unusable sample has a reason."""

import asyncio
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.data.export.self_records import feedback
from skillmill.data.records import Sample, sample_row
from skillmill.data.schemas import SAMPLE_SCHEMA
from skillmill.filters.apply import apply_filters
from skillmill.filters.config import FiltersConfig
from skillmill.filters.grading.comparison import is_preferred
from skillmill.generators.base import Generator
from skillmill.generators.instruct_skill_mix import InstructSkillMix
from skillmill.generators.pairs.shirkers import ShirkerKind, shirker_answer
from skillmill.generators.parsing import (
    answer_and_explanation,
    instruction_parts,
    is_true,
    strengths_and_weaknesses,
    string_field,
    unquoted,
)
from skillmill.generators.skill_mix import SkillMix
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Topic
from skillmill.teachers.base import Reply, Request, Sampling
from skillmill.teachers.structured import clean

SKILLS = (Skill(name="metaphor", definition="speaking of one thing by naming another"), Skill(name="red herring"))
CELLS = {
    "skill_mix": Cell("skill_mix", 0, SKILLS, Topic(name="chess"), None, 7),
    "instruct_skill_mix": Cell("instruct_skill_mix", 0, SKILLS, None, QueryType(name="Advice"), 7),
}
KEYS = ["instruction", "metaphor", "red herring", "answer", "explanation", "strengths", "weaknesses", "good_enough"]
TEXTS = [
    "Wie bringe ich meinen Läufer ins Spiel?",
    "なぜ雨の日に猫は眠いのですか。",
    "كيف أكتب رسالة قصيرة؟",
    "Response: first, say so.\nInstruction: ###\nResponse: second.",
    "Answer: Answer: one.\nExplanation: Answer: two. Explanation:",
    '"Answer:" he said, {"answer": "no',
    "```json\n{",
    "\0\ud800\udfff",
    "1" * 5000,
    '{"answer": ' + "1" * 5000 + "}",
    "{{ 7 * 7 }}{% raw %}{# ",
    "\x1b[31m\u202e\ufeff",
]
NESTED = '{"answer": '
HUGE = ["word " * 20_000, NESTED * 9_000, "{" * 100_000, '{"answer": "' + "a. " * 33_000 + '"}', "Answer:\n" * 12_000]

TEXT = st.one_of(st.sampled_from(TEXTS), st.text(alphabet=st.characters(), max_size=60))
VALUES = st.one_of(TEXT, st.none(), st.booleans(), st.integers(), st.floats(), st.lists(TEXT, max_size=2))
OBJECTS = st.dictionaries(st.sampled_from(KEYS), st.one_of(TEXT, VALUES)).map(json.dumps)
HALVES = st.builds(lambda text, share: text[: int(len(text) * share)], OBJECTS, st.floats(0, 1))
WELL_FORMED = st.fixed_dictionaries(
    {key: TEXT.filter(str.strip) for key in KEYS[:-1]}, optional={"good_enough": st.booleans()}
).map(json.dumps)
AROUND = st.lists(st.one_of(OBJECTS, TEXT, st.just("null"), st.just("}")), max_size=4).map("\n".join)
ANYTHING = st.one_of(WELL_FORMED, WELL_FORMED, OBJECTS, HALVES, AROUND)
REPLIES = st.lists(st.tuples(ANYTHING, st.sampled_from(["stop", "length", "content_filter"])), min_size=1, max_size=8)


class Babbler:
    """A teacher that returns its replies in turn; it accepts only requests that can be encoded as UTF-8 JSON."""

    name = "babbler"

    def __init__(self, replies: list[tuple[str, str]]) -> None:
        self.replies, self.turn = replies, 0

    async def chat(self, request: Request) -> Reply:
        assert json.dumps(request.messages, ensure_ascii=False).encode("utf-8")
        text, finish_reason = self.replies[self.turn % len(self.replies)]
        self.turn += 1
        return Reply(text, finish_reason, 10, 5)


def assert_stored(sample: Sample, cell: Cell) -> None:
    """Assert that the sample fits the schema, and has an answer or a reason."""
    decided = apply_filters(sample, cell, FiltersConfig())
    columns: dict[str, Any] = dict.fromkeys(["plan", "cell", "topic", "query_type", "teacher", "prompts", "split"])
    row = sample_row(
        decided, **{**columns, "plan": "p", "index": 0, "kind": cell.kind, "k": 2, "skills": [], "seed": 7}
    )
    assert pa.Table.from_pylist([row], schema=SAMPLE_SCHEMA).num_rows == 1
    assert decided.response.strip() or decided.reasons


GENERATORS: dict[str, Generator] = {
    "skill_mix": SkillMix(Sampling(), generations=2),
    "skill_mix, short": SkillMix(Sampling(max_tokens=160)),
    "skill_mix, one turn": SkillMix(Sampling(), turns=1),
    "skill_mix, paper": SkillMix(Sampling(), order="paper"),
    "instruct": InstructSkillMix(Sampling(), generations=2),
    "instruct, short": InstructSkillMix(Sampling(max_tokens=160), rewrite=True),
    "instruct, needed": InstructSkillMix(Sampling(), refine="needed", ask_again=1),
}


@pytest.mark.parametrize("name", GENERATORS)
@settings(max_examples=25, deadline=None)
@given(replies=REPLIES)
def test_a_cell_ends_in_samples(name: str, replies: list[tuple[str, str]]) -> None:
    generator = GENERATORS[name]
    cell = CELLS[generator.kind]
    samples = asyncio.run(generator.make(cell, Babbler(replies)))
    assert samples
    assert [sample.generation for sample in samples] == list(range(len(samples)))
    for sample in samples:
        assert_stored(sample, cell)


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("text", [*HUGE, *TEXTS, "", "null", '{"answer": null}', '{"answer": "\\ud800 a\\u0000b"}'])
def test_a_cell_ends_in_samples_whatever_is_said_in_every_turn(name: str, text: str) -> None:
    generator = GENERATORS[name]
    cell = CELLS[generator.kind]
    for sample in asyncio.run(generator.make(cell, Babbler([(text, "stop")]))):
        assert_stored(sample, cell)


@settings(max_examples=60, deadline=None)
@given(text=ANYTHING)
def test_every_parser_takes_any_text(text: str) -> None:
    found = [
        *answer_and_explanation(text),
        *(string_field(text, key) for key in KEYS),
        *instruction_parts(text, KEYS[:2]),
    ]
    found += [*strengths_and_weaknesses(clean(text)), unquoted(clean(text)), clean(text)]
    assert all(value is None or isinstance(value, str) for value in found)
    assert is_true(text, "good_enough") in (True, False)
    for key in KEYS:
        (string_field(text, key) or "").encode("utf-8")  # escapes of lone surrogates in JSON included


@pytest.mark.parametrize("how", ["brevity", "junk"])
@settings(max_examples=20, deadline=None)
@given(replies=REPLIES)
def test_shirkers_can_be_stored(how: ShirkerKind, replies: list[tuple[str, str]]) -> None:
    text = asyncio.run(
        shirker_answer(how, "instruct_skill_mix", "How do I bake bread?", Babbler(replies), Sampling(), 1)
    ).text
    assert "\0" not in text
    text.encode("utf-8")


@settings(max_examples=60, deadline=None)
@given(critique=ANYTHING)
def test_feedback_is_text_whatever_the_critique(critique: str) -> None:
    text = feedback(clean(critique))
    assert isinstance(text, str)
    text.encode("utf-8")


@pytest.mark.parametrize("text", [*HUGE, *TEXTS, "", "null", '{"better": null}', '{"better": ["A"]}', '{"better": {}}'])
def test_a_comparison_ends_in_a_verdict_or_none(text: str) -> None:
    found = asyncio.run(is_preferred("Q?", "one", "two", Babbler([(text, "stop")]), Sampling(), 1))
    assert found in (None, True, False)
