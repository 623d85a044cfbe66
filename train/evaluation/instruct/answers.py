"""A student's answer to a held-out instruction, compared, scored and graded: one row of `evaluate/instruct.parquet`."""

from dataclasses import dataclass
from typing import TypedDict

import pyarrow as pa

from skillmill.data.records import Grade, Sample
from skillmill.data.schemas import GRADE
from skillmill.filters.grading.grade import Grader, grade
from skillmill.filters.shirker.filter import Shirker
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.teachers.base import Reply, Request, RequestFailed, Sampling, Teacher
from skillmill.teachers.structured import clean
from skillmill.train.evaluation.instruct.items import InstructItem
from skillmill.train.evaluation.instruct.judge import Judge, compare

STAGE = "evaluate"
"""The stage of the requests to a student in the accounting of tokens."""
REFERENCE = "reference"
"""The role of the reference answers, which are scored and graded as those of a student are."""

INSTRUCT_SCHEMA = pa.schema(
    [
        ("role", pa.string()),
        ("id", pa.string()),
        ("split", pa.string()),
        ("instruction", pa.string()),
        ("answer", pa.string()),
        ("reference", pa.string()),
        ("first", pa.string()),
        ("second", pa.string()),
        ("score", pa.float64()),
        ("shirker_score", pa.float64()),
        ("grade", GRADE),
        ("finish_reason", pa.string()),
        ("completion_tokens", pa.int64()),
        ("failure", pa.string()),
    ]
)


class InstructRow(TypedDict):
    """An answer to an item and what was found about it.

    `answer`: null if the request failed; `failure` then says why, and is "" otherwise. `first`, `second`: the verdicts
    on the answer standing first and second, null if there was no comparison. `score`: 0..1 for the answer, null if one
    of the verdicts is missing. `shirker_score`: null where it does not apply. `grade`: null without a usable grade.
    """

    role: str
    id: str
    split: str
    instruction: str
    answer: str | None
    reference: str
    first: str | None
    second: str | None
    score: float | None
    shirker_score: float | None
    grade: Grade | None
    finish_reason: str | None
    completion_tokens: int
    failure: str


@dataclass(frozen=True)
class InstructExaminer:
    """Asks a student for its answers and finds out how good they are.

    `student` is None for the reference answers, which are not compared. `grader`: None if answers are not graded.
    """

    role: str
    student: Teacher | None
    sampling: Sampling
    judge: Judge
    grader: Grader | None = None

    async def examine(self, item: InstructItem) -> InstructRow:
        """Return the row of the answer to an item.

        Raises `TeacherError` if student or grader cannot be reached; a request that fails costs one verdict or answer.
        """
        if self.student is None:
            return await self._row(item, Reply(item.reference, "stop", 0, 0), compared=False)
        seed = derived_seed(item.cell.seed, STAGE)
        try:
            reply = await self.student.chat(Request(item.prompt, self.sampling, seed, stage=STAGE))
        except RequestFailed as failure:
            return _row(self.role, item, None, None, failure=str(failure))
        return await self._row(item, reply, compared=True)

    async def _row(self, item: InstructItem, reply: Reply, compared: bool) -> InstructRow:
        text = clean(reply.text)
        row = _row(self.role, item, text, reply)
        if compared:
            comparison = await compare(item, text, self.judge)
            row |= {"first": comparison.first, "second": comparison.second, "score": comparison.score}
        sample, shirker = Sample(item.instruction, text, finish_reason=reply.finish_reason), Shirker()
        if shirker.applies_to(item.cell):
            row["shirker_score"] = shirker.check(sample, item.cell).signals.get("shirker_score")
        if text and self.grader:
            graded, _ = await grade(sample, item.cell, self.grader)
            row["grade"] = graded.grade
        return row


def _row(role: str, item: InstructItem, text: str | None, reply: Reply | None, failure: str = "") -> InstructRow:
    return {
        "role": role,
        "id": item.id,
        "split": item.split,
        "instruction": item.instruction,
        "answer": text,
        "reference": item.reference,
        "first": None,
        "second": None,
        "score": None,
        "shirker_score": None,
        "grade": None,
        "finish_reason": reply.finish_reason if reply else None,
        "completion_tokens": reply.completion_tokens if reply else 0,
        "failure": failure,
    }
