"""Low-effort answers of the teacher."""

import asyncio

import pytest
from scripted_teacher import Scripted

from skillmill.data.reasons import TRANSPORT
from skillmill.generators.pairs.shirkers import ShirkerKind, shirker_answer
from skillmill.teachers.base import RequestFailed, Sampling

QUESTION = "How do I bake bread?"


@pytest.mark.parametrize("how", ["brevity", "junk"])
def test_a_shirker_answers_the_same_prompt(how: ShirkerKind) -> None:
    writer = Scripted(lambda question, seed: f" {question} \0")
    reply = asyncio.run(shirker_answer(how, "instruct_skill_mix", QUESTION, writer, Sampling(), 1))
    assert reply.text == QUESTION
    [request] = writer.asked
    assert (request.stage, request.seed) == (how, 1)


@pytest.mark.parametrize("how", ["brevity", "junk"])
def test_a_skill_mix_text_is_spoilt_by_prompts_of_its_own(how: ShirkerKind) -> None:
    writer = Scripted(lambda question, seed: "Chess is fun.")
    for kind in ("skill_mix", "instruct_skill_mix"):
        asyncio.run(shirker_answer(how, kind, QUESTION, writer, Sampling(), 1))
    text, answer = (request.messages[0]["content"] for request in writer.asked)
    assert text != answer


def test_in_a_small_budget_it_is_one_paragraph() -> None:
    writer = Scripted(lambda question, seed: "Well.")
    for tokens in (240, 600):
        sampling = Sampling(max_tokens=tokens)
        asyncio.run(shirker_answer("junk", "instruct_skill_mix", QUESTION, writer, sampling, 1))
    short, long = ((request.sampling.model_extra or {}).get("stop") for request in writer.asked)
    assert (short, long) == (["\n\n"], None)


def test_a_turn_that_fails_is_raised() -> None:
    broken = Scripted(lambda question, seed: RequestFailed(TRANSPORT))
    with pytest.raises(RequestFailed):
        asyncio.run(shirker_answer("junk", "instruct_skill_mix", QUESTION, broken, Sampling(), 1))
