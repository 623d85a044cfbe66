"""Low-effort answers of the teacher, after the "brevity" and "junk" answers of Instruct-SkillMix (arXiv 2408.14774).

They are the rejected side of preference pairs, and replace good answers in a stress set.
"""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from skillmill.filters.invented_turns import without_invented_turns
from skillmill.generators.conversation import answer_sampling, system, user
from skillmill.skill_taxonomy.cells import SKILL_MIX
from skillmill.teachers.base import Reply, Request, Sampling, Teacher
from skillmill.teachers.prompts import prompts_fingerprint, render
from skillmill.teachers.structured import clean

FOLDER = Path(__file__).parent / "prompts"

ShirkerKind = Literal["brevity", "junk"]
"""`brevity`: correct, but short and without details. `junk`: lazy, generic, vague and padded."""


async def shirker_answer(
    kind: ShirkerKind, row_kind: str, instruction: str, teacher: Teacher, sampling: Sampling, seed: int
) -> Reply:
    """Request a low-effort answer to the instruction of a row. Raises `RequestFailed` if there is no reply.

    Rows of kind "skill_mix" have prompts of their own, because their texts are short anyway. In the short form the
    answer is one paragraph, like all answers: longer ones would mostly be cut off.
    """
    turn = f"{kind}_text" if row_kind == SKILL_MIX else kind
    messages = [system(render(FOLDER, turn)), user(instruction)]
    reply = await teacher.chat(Request(messages, answer_sampling(sampling), seed, stage=kind))
    return replace(reply, text=without_invented_turns(clean(reply.text).strip(), instruction))


def shirker_fingerprint() -> str:
    """Return the fingerprint of the prompt files."""
    return prompts_fingerprint(FOLDER)
