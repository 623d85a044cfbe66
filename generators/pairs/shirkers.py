"""Deliberate low-effort answers to a given instruction: the rejected side of preference pairs, and what replaces good
answers in a stress set (papers.md 3.7)."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from skillmill.filters.rows.form import SKILL_MIX
from skillmill.generators.conversation import answer_sampling, system, user
from skillmill.teachers.base import Reply, Request, Sampling, Teacher
from skillmill.teachers.prompts import prompts_fingerprint, render
from skillmill.teachers.structured import clean

FOLDER = Path(__file__).parent / "prompts"

Shirk = Literal["brevity", "junk"]


async def shirked(how: Shirk, kind: str, instruction: str, teacher: Teacher, sampling: Sampling, seed: int) -> Reply:
    """A low-effort answer to the instruction of a row of that `kind`. Raises `RequestFailed`.

    Skill-Mix texts, which are short as they are, have prompts of their own. In the short form it is one paragraph, as
    all answers: most others would be cut off.

    `brevity`: right, but with little in it. `junk`: lazy, generic, vague, padded.
    """
    turn = f"{how}_text" if kind == SKILL_MIX else how
    messages = [system(render(FOLDER, turn)), user(instruction)]
    reply = await teacher.chat(Request(messages, answer_sampling(sampling), seed, stage=how))
    return replace(reply, text=clean(reply.text).strip())


def prompts() -> str:
    """The fingerprint of the prompt sources."""
    return prompts_fingerprint(FOLDER)
