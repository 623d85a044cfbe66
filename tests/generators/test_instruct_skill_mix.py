"""Instruct-SkillMix on a scripted teacher: turns, forms, rewrites, and instructions requested again."""

import asyncio
import re
from dataclasses import replace
from typing import Any

import orjson
import pytest

from skillmill.data.reasons import PROMPT_COPY, UNPARSABLE
from skillmill.data.records import Sample
from skillmill.filters.config import FiltersConfig
from skillmill.flows.config import parse_config
from skillmill.flows.plan import make_plan
from skillmill.generators.base import Generator
from skillmill.generators.conversation import SHORT_REMARK
from skillmill.generators.instruct_skill_mix import InstructSkillMix
from skillmill.generators.instruction_prompt import QUESTION as QUESTION_PATTERN
from skillmill.generators.parsing import strengths_and_weaknesses
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.sources import builtin
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill
from skillmill.teachers.base import Reply, Request, Sampling

CELL = Cell(
    "instruct_skill_mix",
    0,
    (Skill(name="metaphor", definition="speaking of one thing by naming another"), Skill(name="hyperbole")),
    None,
    QueryType(name="Advice", definition="the user wants advice"),
    7,
)
QUESTION = "How can I bring up the rent with my landlord before winter?"
CRITIQUE = {"strengths": "It is kind.", "weaknesses": "It has no example."}


class Writer:
    """A teacher that answers by stage and records its requests."""

    name = "writer"

    def __init__(self, **replies: str) -> None:
        self.replies = {
            "instruction": orjson.dumps({"instruction": QUESTION}).decode(),
            "response": "Be kind.",
            "critique": orjson.dumps(CRITIQUE).decode(),
            "refine": "Be kind: bring tea, and then name a number.",
            **replies,
        }
        self.requests: list[Request] = []

    async def chat(self, request: Request) -> Reply:
        self.requests.append(request)
        return Reply(self.replies[request.stage], "stop", prompt_tokens=10, completion_tokens=5)

    def request(self, stage: str) -> Request:
        return next(request for request in self.requests if request.stage == stage)

    def properties(self, stage: str) -> dict[str, Any]:
        schema = self.request(stage).json_schema
        assert schema is not None
        properties: dict[str, Any] = schema["properties"]
        return properties


EXAMPLES = InstructSkillMix(Sampling()).instruction.examples


def make(teacher: Writer, generations: int = 1, max_tokens: int = 1024, **options: Any) -> list[Sample]:
    generator: Generator = InstructSkillMix(Sampling(max_tokens=max_tokens), generations, **options)
    return asyncio.run(generator.make(CELL, teacher))


def test_four_turns_make_a_sample() -> None:
    teacher = Writer()
    (sample,) = make(teacher)
    assert [request.stage for request in teacher.requests] == ["instruction", "response", "critique", "refine"]
    assert sample.instruction == QUESTION
    assert sample.draft == "Be kind."
    assert sample.response == "Be kind: bring tea, and then name a number."
    assert orjson.loads(sample.critique or "") == CRITIQUE
    assert (sample.prompt_tokens, sample.completion_tokens) == (40, 20)
    assert (sample.finish_reason, sample.draft_finish_reason, sample.kept) == ("stop", "stop", None)
    assert sample.accepted


def test_answers_are_asked_for_as_the_asker_would() -> None:
    teacher = Writer()
    make(teacher)
    first, last = teacher.request("response").messages
    assert first["role"] == "system"
    assert last == {"role": "user", "content": QUESTION}


def test_critique_and_refinement_continue_the_conversation_of_the_response_that_a_prefix_cache_has() -> None:
    teacher = Writer()
    make(teacher)
    response, critique, refine = (teacher.request(stage).messages for stage in ("response", "critique", "refine"))
    assert critique[:-1] == [*response, {"role": "assistant", "content": teacher.replies["response"]}]
    assert refine[:-1] == critique[:-1]  # the teacher sees no turn in which it judges an answer
    last = refine[-1]["content"]
    assert last.endswith(f"\n\n{QUESTION}")
    assert all(remark in last for remark in CRITIQUE.values()) and "{" not in last


def test_a_critique_that_cannot_be_read_is_a_remark() -> None:
    teacher = Writer(critique="Too vague.")
    make(teacher)
    assert "I miss this: Too vague." in teacher.request("refine").messages[-1]["content"]
    assert "I like" not in teacher.request("refine").messages[-1]["content"]


def test_the_papers_order_continues_the_conversation_of_the_critique() -> None:
    teacher = Writer()
    make(teacher, refine_after="critique")
    critique, refine = (teacher.request(stage).messages for stage in ("critique", "refine"))
    assert refine[:-1] == [*critique, {"role": "assistant", "content": teacher.replies["critique"]}]
    assert refine[-1]["content"].endswith(f"\n\n{QUESTION}")


def test_the_short_form_refines_in_a_conversation_of_its_own() -> None:
    teacher = Writer(instruction=orjson.dumps(SHORT).decode())
    make(teacher, max_tokens=200)
    notes, question = teacher.request("refine").messages
    assert question == {"role": "user", "content": SHORT["metaphor"]}
    assert "Be kind." in notes["content"] and CRITIQUE["weaknesses"] in notes["content"]


def test_what_the_requests_of_a_short_row_share_comes_first_for_a_prefix_cache() -> None:
    class Counting(Writer):
        async def chat(self, request: Request) -> Reply:
            reply = await super().chat(request)
            return replace(reply, text=f"Answer {len(self.requests)}.") if request.json_schema is None else reply

    teacher = Counting(instruction=orjson.dumps(SHORT).decode())
    make(teacher, max_tokens=200)
    first, second = ([*request.messages] for request in teacher.requests if request.stage == "response")
    assert second[: len(first)] == first
    assert [message["content"] for message in second[len(first) :]] == ["Answer 2.", SHORT["hyperbole"]]
    critique = teacher.request("critique").messages
    assert critique[: len(second)] == second
    assert critique[len(second)] == {"role": "assistant", "content": "Answer 3."}
    notes = [request.messages[0]["content"] for request in teacher.requests if request.stage == "refine"]
    shared = [text.partition("Your notes: ")[0] for text in notes]
    assert shared[0] == shared[1]
    assert CRITIQUE["weaknesses"] in shared[0]
    assert shared[0].startswith(first[0]["content"].partition("Answer in ")[0])
    assert ["Answer 2." in notes[0], "Answer 3." in notes[1]] == [True, True]


@pytest.mark.parametrize(("refine", "keys"), [("always", 2), ("needed", 3)])
def test_the_short_form_asks_for_the_critique_in_fewer_words(refine: str, keys: int) -> None:
    texts = []
    for tokens, instruction in ((200, orjson.dumps(SHORT).decode()), (1024, None)):
        teacher = Writer(**({"instruction": instruction} if instruction else {}))
        make(teacher, max_tokens=tokens, refine=refine)
        texts.append(teacher.request("critique").messages[-1]["content"])
    short, long = texts
    assert len(short) < 0.6 * len(long)
    assert all(sum(f'"{key}"' in text for key in ("strengths", "weaknesses", "good_enough")) == keys for text in texts)


def test_the_answers_are_asked_for_by_definitions_where_there_are_any() -> None:
    teacher = Writer()
    make(teacher)
    for request in teacher.requests[1:]:
        prompt = " ".join(message["content"] for message in request.messages)
        assert "metaphor" not in prompt
        assert "speaking of one thing by naming another" in prompt
        assert "hyperbole" in prompt


def test_one_instruction_and_an_answer_per_generation() -> None:
    teacher = Writer()
    samples = make(teacher, generations=3)
    assert [sample.generation for sample in samples] == [0, 1, 2]
    assert [sample.completion_tokens for sample in samples] == [20, 15, 15]
    assert len(teacher.requests) == 1 + 3 * 3
    assert len({request.seed for request in teacher.requests}) == 10


@pytest.mark.parametrize("reply", ["How?", "{", '{"instruction": null}', '{"instruction": " "}'])
def test_an_unusable_instruction_ends_the_row_and_is_kept(reply: str) -> None:
    teacher = Writer(instruction=reply)
    (sample,) = make(teacher, generations=2)
    assert sample.reasons == (UNPARSABLE,)
    assert sample.draft == reply
    assert len(teacher.requests) == 1


@pytest.mark.parametrize("copied", [*EXAMPLES[0].short.values(), EXAMPLES[0].full])
def test_a_copied_example_ends_the_row(copied: str) -> None:
    (sample,) = make(Writer(instruction=orjson.dumps({"instruction": copied}).decode()))
    assert sample.reasons == (PROMPT_COPY,)
    assert sample.instruction == copied
    prompt = InstructSkillMix(Sampling()).instruction
    assert not prompt.copies_example(QUESTION)
    assert not prompt.copies_example("Can you help me plan a party for my friend's birthday?")


def test_a_critique_in_another_form_still_counts() -> None:
    assert strengths_and_weaknesses("Too vague.") == ("", "Too vague.")
    assert strengths_and_weaknesses('{"weaknesses": "Too vague."}') == ("", "Too vague.")
    (sample,) = make(Writer(critique="Too vague."))
    assert sample.critique == "Too vague."
    assert sample.accepted


def test_a_small_budget_asks_for_a_short_form_and_holds_it() -> None:
    teacher = Writer(instruction=orjson.dumps(SHORT).decode())
    make(teacher, max_tokens=200)
    properties = teacher.properties("instruction")
    assert {key: field["pattern"] for key, field in properties.items()} == dict.fromkeys(SHORT, QUESTION_PATTERN)
    assert (teacher.request("response").sampling.model_extra or {})["stop"] == ["\n\n"]
    assert "paragraph" in teacher.request("response").messages[0]["content"]
    generous = Writer()
    make(generous)
    assert "pattern" not in generous.properties("instruction")["instruction"]
    assert "350 words" in generous.request("response").messages[0]["content"]


def test_the_short_form_has_room_for_the_short_examples() -> None:
    assert all(re.search(QUESTION_PATTERN, text) for example in EXAMPLES for text in example.short.values())
    assert re.search(SHORT_REMARK, CRITIQUE["weaknesses"] + " Say what to bring.")


def test_the_conversation_begins_alike_for_every_cell() -> None:
    other = Cell("instruct_skill_mix", 1, CELL.skills[:1], None, CELL.query_type, 8)
    generator = InstructSkillMix(Sampling(max_tokens=200))
    ours, theirs = (generator.instruction.messages(each) for each in (CELL, other))
    assert ours[:-1] == theirs[:-1]
    assert ours[-1] != theirs[-1]


SHORT = {
    "metaphor": "How can I tell my sister that her plan has no roof?",
    "hyperbole": "Why do I wait a year for tea?",
}


def test_the_short_form_asks_a_question_for_each_skill_and_answers_each_in_a_paragraph() -> None:
    teacher = Writer(instruction=orjson.dumps(SHORT).decode())
    (sample,) = make(teacher, max_tokens=200)
    stages = ["instruction", "response", "response", "critique", "refine", "refine"]
    assert [request.stage for request in teacher.requests] == stages
    assert sample.instruction == " ".join(SHORT.values())
    assert sample.response == "\n\n".join(["Be kind: bring tea, and then name a number."] * 2)
    questions = [request.messages[-1]["content"] for request in teacher.requests if request.stage == "refine"]
    assert questions == list(SHORT.values())
    assert len({request.seed for request in teacher.requests}) == len(stages)


def test_the_short_form_needs_a_question_for_every_skill() -> None:
    (sample,) = make(Writer(instruction=orjson.dumps({"metaphor": SHORT["metaphor"]}).decode()), max_tokens=200)
    assert sample.reasons == (UNPARSABLE,)


def test_a_paragraph_that_was_cut_off_marks_the_row() -> None:
    class CutOff(Writer):
        async def chat(self, request: Request) -> Reply:
            reply = await super().chat(request)
            first = request.stage == "refine" and request.messages[-1]["content"] == SHORT["metaphor"]
            return replace(reply, finish_reason="length") if first else reply

    (sample,) = make(CutOff(instruction=orjson.dumps(SHORT).decode()), max_tokens=200)
    assert sample.finish_reason == "length"


class CutOffAt(Writer):
    """Reaches its token limit in the given stages."""

    def __init__(self, *stages: str, **replies: str) -> None:
        super().__init__(**replies)
        self.cut = stages

    async def chat(self, request: Request) -> Reply:
        reply = await super().chat(request)
        return replace(reply, finish_reason="length") if request.stage in self.cut else reply


REWRITTEN = "Bring tea, then name a number."


def stages(teacher: Writer) -> list[str]:
    return [request.stage for request in teacher.requests]


def test_an_answer_that_was_cut_off_is_asked_for_once_more() -> None:
    teacher = CutOffAt("refine", rewrite=REWRITTEN)
    (sample,) = make(teacher)
    assert stages(teacher) == ["instruction", "response", "critique", "refine", "rewrite"]
    assert (sample.response, sample.finish_reason) == (REWRITTEN, "stop")
    notes, question = (message["content"] for message in teacher.request("rewrite").messages)
    assert "Be kind: bring tea, and then name a number." in notes
    assert question == QUESTION
    assert sample.completion_tokens == 25


def test_a_second_cut_is_left_to_the_filters() -> None:
    teacher = CutOffAt("refine", "rewrite", rewrite=REWRITTEN)
    (sample,) = make(teacher)
    assert stages(teacher).count("rewrite") == 1
    assert sample.finish_reason == "length"


@pytest.mark.parametrize(
    ("max_tokens", "rewrite", "rewrites"), [(1024, None, 1), (1024, False, 0), (200, None, 0), (200, True, 1)]
)
def test_the_short_form_rewrites_only_when_told_to(max_tokens: int, rewrite: bool | None, rewrites: int) -> None:
    class FirstCut(CutOffAt):
        async def chat(self, request: Request) -> Reply:
            reply = await super().chat(request)
            return (
                replace(reply, finish_reason="stop") if request.messages[-1]["content"] == SHORT["hyperbole"] else reply
            )

    parts = SHORT if max_tokens == 200 else {"instruction": QUESTION}
    teacher = FirstCut("refine", rewrite=REWRITTEN, instruction=orjson.dumps(parts).decode())
    make(teacher, max_tokens=max_tokens, rewrite=rewrite)
    assert stages(teacher).count("rewrite") == rewrites  # only one of the two paragraphs was cut off


def critique(good_enough: object) -> str:
    return orjson.dumps({**CRITIQUE, "good_enough": good_enough}).decode()


def test_a_draft_that_its_critique_calls_good_enough_is_the_answer() -> None:
    teacher = Writer(critique=critique(True))
    (sample,) = make(teacher, refine="needed")
    assert stages(teacher) == ["instruction", "response", "critique"]
    assert (sample.response, sample.draft) == ("Be kind.", None)
    assert orjson.loads(sample.critique or "")["good_enough"] is True
    assert teacher.properties("critique")["good_enough"] == {"type": "boolean"}
    assert "good_enough" in teacher.request("critique").messages[-1]["content"]


@pytest.mark.parametrize("reply", [critique(False), critique("true"), orjson.dumps(CRITIQUE).decode(), "good_enough"])
def test_any_other_critique_is_followed(reply: str) -> None:
    teacher = Writer(critique=reply)
    (sample,) = make(teacher, refine="needed")
    assert stages(teacher)[-1] == "refine"
    assert sample.draft == "Be kind."


def test_a_draft_that_was_cut_off_is_never_good_enough() -> None:
    teacher = CutOffAt("response", critique=critique(True))
    make(teacher, refine="needed")
    assert stages(teacher)[-1] == "refine"


def test_a_refinement_that_is_always_made_asks_for_no_decision() -> None:
    teacher = Writer(critique=critique(True))
    make(teacher)
    assert stages(teacher)[-1] == "refine"
    assert "good_enough" not in teacher.properties("critique")
    assert "good_enough" not in teacher.request("critique").messages[-1]["content"]


class Names(Writer):
    """Names a skill in its first instruction only."""

    async def chat(self, request: Request) -> Reply:
        first = request.stage == "instruction" and not self.requests
        reply = await super().chat(request)
        return replace(reply, text='{"instruction": "Which metaphor fits a late rent?"}') if first else reply


def test_an_instruction_that_names_its_skills_is_asked_for_again_where_the_option_says_so() -> None:
    teacher = Names()
    (sample,) = make(teacher, ask_again=1)
    first, second, *_ = teacher.requests
    assert first.stage == second.stage == "instruction"
    assert first.seed != second.seed
    assert sample.instruction == QUESTION
    assert sample.prompt_tokens == 50
    (sample,) = make(Names())
    assert "metaphor" in sample.instruction


def test_an_instruction_that_lacks_what_it_is_about_is_asked_for_again_too() -> None:
    teacher = Writer(instruction='{"instruction": "Can you shorten the letter below? It is for my landlord."}')
    make(teacher, ask_again=1)
    assert stages(teacher).count("instruction") == 2


def test_an_instruction_is_asked_for_again_once_at_most_and_only_for_what_a_filter_rejects() -> None:
    teacher = Writer(instruction='{"instruction": "Which metaphor fits a late rent?"}')
    make(teacher, ask_again=1)
    assert stages(teacher).count("instruction") == 2
    broken = Writer(instruction="no JSON")
    make(broken, ask_again=1)
    assert stages(broken) == ["instruction"]


NAMES_A_SKILL = '{"instruction": "Which metaphor fits a late rent?"}'
NAMES_AN_ALIAS = '{"instruction": "Which figure of speech fits a late rent?"}'
LACKS_MATERIAL = '{"instruction": "Can you shorten the letter below? It is for my landlord."}'


@pytest.mark.parametrize(
    ("instruction", "filters", "requests"),
    [
        (NAMES_A_SKILL, {}, 2),
        (NAMES_A_SKILL, {"skill_named": {"enabled": False}}, 1),
        (NAMES_A_SKILL, {"missing_material": {"enabled": False}}, 2),
        (NAMES_AN_ALIAS, {}, 2),
        (NAMES_AN_ALIAS, {"skill_named": {"aliases": False}}, 1),
        (LACKS_MATERIAL, {}, 2),
        (LACKS_MATERIAL, {"missing_material": {"enabled": False}}, 1),
        (LACKS_MATERIAL, {"skill_named": {"enabled": False}}, 2),
    ],
)
def test_an_instruction_is_requested_again_only_for_filters_that_are_on_and_with_their_options(
    instruction: str, filters: dict[str, Any], requests: int
) -> None:
    skill = Skill(name="metaphor", aliases=("figure of speech",))
    teacher = Writer(instruction=instruction)
    generator = InstructSkillMix(Sampling(), ask_again=1, filters=FiltersConfig.model_validate(filters))
    asyncio.run(generator.make(replace(CELL, skills=(skill, CELL.skills[1])), teacher))
    assert stages(teacher).count("instruction") == requests


@pytest.mark.parametrize("filters", [{}, {"skill_named": {"enabled": False}}, {"skill_named": {"aliases": False}}])
def test_the_generator_has_the_filters_of_the_configuration_and_the_plan_does_not(filters: dict[str, Any]) -> None:
    taxonomy = builtin("language")
    generation = {"kind": "instruct_skill_mix", "ask_again": 1}
    config = parse_config({"output_dir": "out", "generation": generation, "filters": filters})
    plan = make_plan(config, taxonomy)
    assert isinstance(plan.generator, InstructSkillMix)
    assert plan.generator.filters == FiltersConfig.model_validate(filters)
    default = make_plan(parse_config({"output_dir": "out", "generation": generation}), taxonomy)
    assert (plan.fingerprint, plan.parts) == (default.fingerprint, default.parts)
