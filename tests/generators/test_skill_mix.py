"""Skill-Mix on a scripted teacher: turns, orders, limits, and unusable replies."""

import asyncio
import re
from typing import Any

import pytest

from skillmill.data.reasons import PROMPT_COPY, UNPARSABLE
from skillmill.data.records import Sample
from skillmill.generators.base import Generator
from skillmill.generators.skill_mix import FOLDER, SkillMix, prompt_variables, reply_schema
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import Skill, Topic
from skillmill.teachers.base import Reply, Request, Sampling
from skillmill.teachers.prompts import render

SKILLS = (
    Skill(name="metaphor", definition="speaking of one thing by naming another", example="The city was a beast."),
    Skill(name="red herring", definition="bringing up something irrelevant"),
    Skill(name="modus ponens", definition="if P then Q; P; so Q"),
)
SAMPLING = Sampling(max_tokens=200)


def cell(k: int = 2, seed: int = 7) -> Cell:
    return Cell("skill_mix", 0, SKILLS[:k], Topic(name="chess"), None, seed)


class Writer:
    """A teacher that answers by stage and records its requests."""

    name = "writer"

    def __init__(self, draft: str, review: str, finish: str = "stop") -> None:
        self.replies = {"draft": draft, "review": review}
        self.finish, self.requests = finish, list[Request]()

    async def chat(self, request: Request) -> Reply:
        self.requests.append(request)
        return Reply(self.replies[request.stage], self.finish, prompt_tokens=100, completion_tokens=20)


DRAFT = '{"answer": "Her knight was a thief. It rains.", "explanation": "The knight is a thief."}'
REVIEW = '{"answer": "Her knight was a thief, and is it not warm today?", "explanation": "A knight steals nothing."}'


def make(teacher: Writer, k: int = 2, generations: int = 1, seed: int = 7, **options: Any) -> list[Sample]:
    generator: Generator = SkillMix(SAMPLING, generations, **options)
    return asyncio.run(generator.make(cell(k, seed), teacher))


def test_the_reviewed_answer_is_the_sample() -> None:
    (sample,) = make(Writer(DRAFT, REVIEW))
    assert sample.response == "Her knight was a thief, and is it not warm today?"
    assert sample.explanation == "A knight steals nothing."
    assert sample.draft == "Her knight was a thief. It rains."
    assert sample.accepted
    assert (sample.prompt_tokens, sample.completion_tokens) == (200, 40)


def test_the_review_sees_the_whole_conversation() -> None:
    teacher = Writer(DRAFT, REVIEW)
    make(teacher)
    first, second = teacher.requests
    assert second.messages[:-1] == [*first.messages, {"role": "assistant", "content": DRAFT}]
    assert "one sentence" in second.messages[-1]["content"]


def test_the_request_of_the_row_stands_alone() -> None:
    request = render(FOLDER, "request", **prompt_variables(cell(3)))
    for needed in ("chess", "two sentences", "metaphor: speaking of one thing", "red herring", "modus ponens"):
        assert needed in request
    assert "JSON" not in request


@pytest.mark.parametrize(("k", "limit"), [(1, "one sentence"), (2, "one sentence"), (3, "two sentences")])
def test_the_limit_is_told_in_words(k: int, limit: str) -> None:
    assert limit in SkillMix(SAMPLING).draft_messages(cell(k))[-1]["content"]


def test_generations_are_drawn_with_seeds_of_their_own() -> None:
    teacher = Writer(DRAFT, REVIEW)
    samples = make(teacher, generations=2)
    assert [sample.generation for sample in samples] == [0, 1]
    assert len({request.seed for request in teacher.requests}) == 4
    again = Writer(DRAFT, REVIEW)
    make(again, generations=2)
    assert [request.seed for request in again.requests] == [request.seed for request in teacher.requests]
    other = Writer(DRAFT, REVIEW)
    make(other, generations=2, seed=8)
    assert not {request.seed for request in other.requests} & {request.seed for request in teacher.requests}


def test_a_reply_in_another_form_is_kept_and_said_so() -> None:
    (sample,) = make(Writer(DRAFT, "I made it better, see above."))
    assert sample.reasons == (UNPARSABLE,)
    assert sample.response == ""
    assert sample.draft == "I made it better, see above."


def test_teacher_text_is_data() -> None:
    reply = "Answer: {{ 7 * 7 }} {% raw %}\nExplanation: none"
    (sample,) = make(Writer(reply, reply))
    assert sample.response == "{{ 7 * 7 }} {% raw %}"


def test_the_token_limit_is_seen() -> None:
    (sample,) = make(Writer(DRAFT, REVIEW, finish="length"))
    assert sample.finish_reason == "length"


def test_replies_without_json_are_read_by_their_marks() -> None:
    (sample,) = make(Writer(DRAFT, "Answer: Her knight was a thief.\nExplanation: Knights do not steal."))
    assert (sample.response, sample.explanation) == ("Her knight was a thief.", "Knights do not steal.")


def test_a_copied_example_is_refused() -> None:
    (sample,) = make(Writer(DRAFT, "Answer: " + SkillMix(SAMPLING).example.answer))
    assert sample.reasons == (PROMPT_COPY,)


@pytest.mark.parametrize(("k", "fits"), [(2, [True, False, False]), (3, [True, True, False])])
def test_a_small_budget_holds_the_text_to_its_limit(k: int, fits: list[bool]) -> None:
    pattern = reply_schema(SAMPLING, cell(k))["properties"]["answer"]["pattern"]
    sentence = "The old rook was a wall of grey stone, and by the way it was a warm and sunny afternoon in May."
    assert [bool(re.search(pattern, " ".join([sentence] * count))) for count in (1, 2, 3)] == fits
    generous = reply_schema(Sampling(max_tokens=1024), cell(k))["properties"]["answer"]
    assert "pattern" not in generous


def test_a_single_turn_is_the_draft_alone() -> None:
    teacher = Writer(DRAFT, REVIEW)
    (sample,) = make(teacher, turns=1)
    assert [request.stage for request in teacher.requests] == ["draft"]
    assert sample.response == "Her knight was a thief. It rains."
    assert (sample.draft, sample.explanation) == (None, "The knight is a thief.")
    assert (sample.prompt_tokens, sample.completion_tokens) == (100, 20)
    (unread,) = make(Writer("Nothing of use.", REVIEW), turns=1)
    assert (unread.draft, unread.reasons) == ("Nothing of use.", (UNPARSABLE,))


PAPER = "Answer: Her knight was a thief, as thieves go.\nExplanation: The knight steals."


def test_the_papers_order_tells_the_limit_in_the_second_turn_alone() -> None:
    teacher = Writer(PAPER.replace("thief", "rogue"), PAPER)
    (sample,) = make(teacher, k=3, order="paper")
    first, second = teacher.requests
    assert [message["role"] for message in second.messages] == ["user", "assistant", "user"]
    opening, review = first.messages[0]["content"], second.messages[-1]["content"]
    assert "sentence" not in opening and "at most two sentences" in review
    for needed in ("chess", "metaphor, red herring, modus ponens", "For example, The city was a beast.", "Answer:"):
        assert needed in opening
    assert opening.index("Answer:") < opening.index("Explanation:")
    assert (first.json_schema, second.json_schema) == (None, None)
    assert sample.response == "Her knight was a thief, as thieves go."
    assert sample.draft == "Her knight was a rogue, as thieves go."
    assert sample.explanation == "The knight steals."
    assert "at most two sentences" in sample.instruction
