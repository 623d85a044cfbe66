"""Comparison of an answer with the reference by a grader, in both orders.

Models that compare answers tend to prefer the one in a certain position (MT-Bench, arXiv 2306.05685, section 3.3). With
both orders this cancels out of the win rate, and its size can be stated.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from skillmill.data.records import Message
from skillmill.filters.grading.comparison import SCHEMA, STAGE, Choice, read_choice
from skillmill.filters.rows.refusal import declines
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.teachers.base import Reply, Request, RequestFailed, Sampling, Teacher
from skillmill.teachers.prompts import Prompts, chosen_prompts, shipped
from skillmill.teachers.structured import clean
from skillmill.train.evaluation.instruct.items import InstructItem

FOLDER = Path(__file__).parent / "prompts"
KEY = "evaluate.instruct.prompts"
REFUSAL_WITHIN = 200
"""The number of characters of a reply without a verdict in which a refusal is searched."""

Fault = Literal["unreadable", "refused", "failed"]
"""Why a request gave no verdict: no choice in the reply; the grader declined; no reply."""
Verdict = Choice | Fault

POINTS_OF_A: dict[str, float] = {"A": 1.0, "same": 0.5, "B": 0.0}
"""What a choice says for the answer that stands first. Faults have no entry."""


@dataclass(frozen=True)
class Judge:
    """A model that compares answers, its sampling and its prompts."""

    teacher: Teacher
    sampling: Sampling
    templates: Prompts = field(default_factory=lambda: shipped(FOLDER))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdicts on an answer that stands first and second. Both are None for an empty answer, which loses."""

    first: Verdict | None
    second: Verdict | None

    @property
    def score(self) -> float | None:
        """The mean of both verdicts for the answer, 0..1; None if one of the requests gave no verdict.

        One order alone would bring the bias for a position back.
        """
        if self.first is None or self.second is None:
            return 0.0
        if self.first not in POINTS_OF_A or self.second not in POINTS_OF_A:
            return None
        return (POINTS_OF_A[self.first] + 1 - POINTS_OF_A[self.second]) / 2


def judge_prompts(folder: str | None) -> Prompts:
    """Return the grader's prompts, with the files of the user's folder in place of the shipped ones.

    Raises `ConfigError` as `Prompts` does.
    """
    return chosen_prompts(FOLDER, own=folder, key=KEY)


async def compare(item: InstructItem, answer: str, judge: Judge) -> Comparison:
    """Return the verdicts on an answer against the item's reference. An empty answer is not sent to the grader.

    A request that fails is a verdict. Raises `TeacherError` if the grader cannot be reached or refuses every request.
    """
    if not answer.strip():
        return Comparison(None, None)
    return Comparison(
        await _verdict(item, answer, item.reference, judge, 0), await _verdict(item, item.reference, answer, judge, 1)
    )


async def _verdict(item: InstructItem, a: str, b: str, judge: Judge, order: int) -> Verdict:
    messages: list[Message] = [
        {"role": "system", "content": judge.templates.render("guidance")},
        {"role": "user", "content": judge.templates.render("compare", request=item.instruction, a=a, b=b)},
    ]
    request = Request(messages, judge.sampling, derived_seed(item.cell.seed, STAGE, order), SCHEMA, STAGE)
    try:
        return _read(await judge.teacher.chat(request))
    except RequestFailed:
        return "failed"


def _read(reply: Reply) -> Verdict:
    text = clean(reply.text)
    if choice := read_choice(text):
        return choice
    is_refusal = reply.finish_reason == "content_filter" or declines("", text, REFUSAL_WITHIN)
    return "refused" if is_refusal else "unreadable"
