"""Pairwise comparison: ask a grader which of two answers is better, with the answers in both orders.

Models that compare answers tend to prefer the one in a certain position. Following MT-Bench (arXiv 2306.05685, section
3.4), an answer counts as better only if the grader prefers it in both orders.
"""

from pathlib import Path
from typing import Literal

from skillmill.data.records import Message
from skillmill.teachers.base import Request, Sampling, Teacher
from skillmill.teachers.prompts import prompts_fingerprint, render
from skillmill.teachers.structured import object_schema, parse_object

FOLDER = Path(__file__).parent / "prompts" / "comparison"
STAGE = "compare"
SCHEMA = object_schema(
    because={"type": "string", "minLength": 1, "maxLength": 200}, better={"enum": ["A", "B", "same"]}
)

Choice = Literal["A", "B", "same"]


async def is_preferred(
    request: str, answer: str, other: str, grader: Teacher, sampling: Sampling, seed: int
) -> bool | None:
    """Return whether the grader prefers `answer` to `other` in both orders; None if a reply cannot be read.

    The second request is sent only if the first reply prefers `answer`. Raises `RequestFailed`.
    """
    orders: list[tuple[str, str, Choice]] = [(answer, other, "A"), (other, answer, "B")]
    for a, b, wanted in orders:
        choice = await _compare(request, a, b, grader, sampling, seed)
        if choice != wanted:
            return None if choice is None else False
    return True


def comparison_fingerprint() -> str:
    """Return the fingerprint of the prompts for comparisons."""
    return prompts_fingerprint(FOLDER)


async def _compare(request: str, a: str, b: str, grader: Teacher, sampling: Sampling, seed: int) -> Choice | None:
    """Return the grader's choice between the answers A and B, None if its reply cannot be read."""
    messages: list[Message] = [
        {"role": "system", "content": render(FOLDER, "guidance")},
        {"role": "user", "content": render(FOLDER, "compare", request=request, a=a, b=b)},
    ]
    return read_choice((await grader.chat(Request(messages, sampling, seed, SCHEMA, STAGE))).text)


def read_choice(reply: str) -> Choice | None:
    """Return the choice in a reply by `SCHEMA`, None if it cannot be read."""
    choice = (parse_object(reply, ("better",)) or {}).get("better")
    return choice if choice in ("A", "B", "same") else None
