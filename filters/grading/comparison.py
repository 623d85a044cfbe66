"""Which of two answers is better? A grader is asked in both orders: many prefer what stands first, or last."""

from pathlib import Path
from typing import Any

from skillmill.teachers.base import Request, Sampling, Teacher
from skillmill.teachers.prompts import prompts_fingerprint, render
from skillmill.teachers.structured import object_schema, parse_object

FOLDER = Path(__file__).parent / "prompts" / "comparison"
STAGE = "compare"
SCHEMA = object_schema(
    because={"type": "string", "minLength": 1, "maxLength": 200}, better={"enum": ["A", "B", "same"]}
)


async def finds_better(
    request: str, one: str, other: str, grader: Teacher, sampling: Sampling, seed: int
) -> bool | None:
    """Whether the grader finds `one` better than `other`, whichever it reads first; None where it cannot be read.

    The second order is asked only where the first one says so. Raises `RequestFailed`.
    """
    for a, b, wanted in ((one, other, "A"), (other, one, "B")):
        found = await _better(request, a, b, grader, sampling, seed)
        if found != wanted:
            return None if found is None else False
    return True


async def _better(request: str, a: str, b: str, grader: Teacher, sampling: Sampling, seed: int) -> Any:
    """ "A", "B" or "same"; None for a reply that says none of them."""
    asked = [
        {"role": "system", "content": render(FOLDER, "guidance")},
        {"role": "user", "content": render(FOLDER, "compare", request=request, a=a, b=b)},
    ]
    reply = await grader.chat(Request(asked, sampling, seed, SCHEMA, STAGE))
    found = parse_object(reply.text, ("better",))
    return found["better"] if found and found["better"] in ("A", "B", "same") else None


def prompts() -> str:
    """The fingerprint of the prompt sources."""
    return prompts_fingerprint(FOLDER)
