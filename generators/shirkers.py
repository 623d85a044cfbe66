"""Deliberate low-effort answers to a given instruction, the rejected side of preference pairs (papers.md 3.7)."""

from skillmill.generators.conversation import PROMPTS, system, user
from skillmill.teachers.base import Reply, Request, Sampling, Teacher
from skillmill.teachers.prompts import prompts_fingerprint, render
from skillmill.teachers.structured import clean

FOLDER = PROMPTS / "shirkers"


async def brevity(instruction: str, teacher: Teacher, sampling: Sampling, seed: int) -> tuple[str, Reply]:
    """A good but short answer, in one short paragraph, and what it cost. Raises `TurnFailed`."""
    return await _shirk("brevity", instruction, teacher, sampling, seed)


async def junk(instruction: str, teacher: Teacher, sampling: Sampling, seed: int) -> tuple[str, Reply]:
    """An unhelpful answer: lazy, generic, vague, padded; and what it cost. Raises `TurnFailed`."""
    return await _shirk("junk", instruction, teacher, sampling, seed)


async def _shirk(kind: str, instruction: str, teacher: Teacher, sampling: Sampling, seed: int) -> tuple[str, Reply]:
    messages = [system(render(FOLDER, kind)), user(instruction)]
    reply = await teacher.chat(Request(messages, sampling, seed, stage=kind))
    return clean(reply.text).strip(), reply


def prompts() -> str:
    """The fingerprint of the prompt sources."""
    return prompts_fingerprint(FOLDER)
