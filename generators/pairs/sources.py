"""The sources of preference pairs: where the rejected answer to an accepted row comes from.

A new source is one function with the signature `Find`, and one line in `SOURCES`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from skillmill.data.reasons import PairReason
from skillmill.data.records import SampleRow, text_of
from skillmill.filters.invented_turns import without_invented_turns
from skillmill.filters.rows.cut_off import stops_in_the_middle
from skillmill.generators.pairs.shirkers import ShirkerKind, shirker_answer
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.teachers.base import Request, Sampling, Teacher
from skillmill.teachers.structured import clean

Role = Literal["teacher", "student", "grader"]


@dataclass(frozen=True, slots=True)
class PairModel:
    """A model that receives requests for pairs, and its sampling."""

    teacher: Teacher
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class PairModels:
    """The models by role; None for a role that no configured source or check needs."""

    teacher: PairModel | None = None
    student: PairModel | None = None
    grader: PairModel | None = None


@dataclass(frozen=True, slots=True)
class RejectedAnswer:
    """The rejected side of a pair.

    `margin`: the chosen side's points minus this side's points, if both are graded.
    """

    text: str
    is_cut_off: bool = False
    margin: float | None = None


Find = Callable[[SampleRow, Sequence[SampleRow], PairModels], Awaitable[RejectedAnswer | PairReason]]
"""Arguments: the accepted row, all rows of its cell, the models. Returns the rejected answer, or why there is none.

May raise `RequestFailed`."""


@dataclass(frozen=True, slots=True)
class PairSource:
    """A source: its function, the `chosen_source` of its pairs, and the model that it sends requests to, if any."""

    find: Find
    chosen_source: str
    role: Role | None = None


async def draft(row: SampleRow, cell: Sequence[SampleRow], models: PairModels) -> RejectedAnswer | PairReason:
    """Return the draft that the accepted answer refines. A row whose answer is its draft has none."""
    if not row["draft"] or row["kept"]:
        return PairReason.NO_DRAFT
    return RejectedAnswer(row["draft"], _is_incomplete(row["draft"], row))


async def brevity(row: SampleRow, cell: Sequence[SampleRow], models: PairModels) -> RejectedAnswer | PairReason:
    """Request a short answer without details from the teacher."""
    return await _shirker("brevity", row, models)


async def junk(row: SampleRow, cell: Sequence[SampleRow], models: PairModels) -> RejectedAnswer | PairReason:
    """Request a useless answer from the teacher."""
    return await _shirker("junk", row, models)


async def low_grade(row: SampleRow, cell: Sequence[SampleRow], models: PairModels) -> RejectedAnswer | PairReason:
    """Return the answer to the same prompt with the lowest grade, accepted or rejected; cut-off answers come last."""
    graded = [
        (other, other["grade"]["total"])
        for other in cell
        if other["grade"] and other["id"] != row["id"] and other["prompt"] == row["prompt"]
    ]
    if row["grade"] is None or not graded:
        return PairReason.NOT_GRADED
    row_total = row["grade"]["total"]
    lower = [(other, total) for other, total in graded if total < row_total]
    if not lower:
        return PairReason.SAME_GRADE
    lowest, total = min(lower, key=lambda each: (_row_is_cut_off(each[0]), each[1], each[0]["generation"]))
    return RejectedAnswer(text_of(lowest["completion"]), _row_is_cut_off(lowest), round(row_total - total, 6))


async def student(row: SampleRow, cell: Sequence[SampleRow], models: PairModels) -> RejectedAnswer | PairReason:
    """Request an answer to the row's prompt from the student."""
    model = models.student
    assert model is not None
    seed = derived_seed(row["seed"], "student")
    reply = await model.teacher.chat(Request(row["prompt"], model.sampling, seed, stage="student"))
    text = without_invented_turns(clean(reply.text).strip(), text_of(row["prompt"]))
    return RejectedAnswer(text, reply.finish_reason == "length" or _is_incomplete(text, row))


SOURCES: dict[str, PairSource] = {
    "draft": PairSource(draft, chosen_source="final"),
    "brevity": PairSource(brevity, chosen_source="accepted", role="teacher"),
    "junk": PairSource(junk, chosen_source="accepted", role="teacher"),
    "low_grade": PairSource(low_grade, chosen_source="high_grade"),
    "student": PairSource(student, chosen_source="teacher", role="student"),
}
"""The sources by their name in `pairs.sources`, which is also the `rejected_source` of their pairs."""


def is_english(row: SampleRow) -> bool:
    """Return whether the row's texts are in English, the language of the prompts."""
    return row["language"] in (None, "English")


async def _shirker(kind: ShirkerKind, row: SampleRow, models: PairModels) -> RejectedAnswer:
    model = models.teacher
    assert model is not None
    seed = derived_seed(row["seed"], kind)
    reply = await shirker_answer(kind, row["kind"], text_of(row["prompt"]), model.teacher, model.sampling, seed)
    return RejectedAnswer(reply.text, reply.finish_reason == "length" or _is_incomplete(reply.text, row))


def _row_is_cut_off(row: SampleRow) -> bool:
    return row["finish_reason"] == "length" or _is_incomplete(text_of(row["completion"]), row)


def _is_incomplete(text: str, row: SampleRow) -> bool:
    return stops_in_the_middle(text, is_english(row))
