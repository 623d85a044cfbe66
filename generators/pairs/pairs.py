"""Preference pairs: an accepted answer and a worse one to the same prompt, from five sources.

Each source gives one row an accepted row, with a `PairReason` where it came to no pair, so that none vanishes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from skillmill.data.reasons import PairReason
from skillmill.data.records import pair_id, text_of
from skillmill.data.text.measures import count_words
from skillmill.data.text.ngrams import jaccard, normal_words
from skillmill.filters.config import Shirker
from skillmill.filters.grading.comparison import finds_better
from skillmill.filters.rows.form import SKILL_MIX, stops_in_the_middle
from skillmill.filters.shirker.model import effort_margin
from skillmill.generators.pairs.shirkers import shirked
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.teachers.base import Request, RequestFailed, Sampling, Teacher
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.structured import clean

Source = Literal["draft", "brevity", "junk", "low_grade", "student"]
Row = dict[str, Any]

CHOSEN = {
    "draft": "final",
    "brevity": "accepted",
    "junk": "accepted",
    "low_grade": "high_grade",
    "student": "teacher",
}
"""What the accepted answer is called beside each source of the rejected one."""


class PairsConfig(BaseModel):
    """Each source gives at most one pair for each of `share` of the accepted rows.

    `student`: who answers for the source of that name. `similarity`: pairs whose sides share as much of their runs of
    three words (Jaccard) are dropped. `tolerance`: how much better, in shirker scores, the rejected side may look
    before the order is doubted. `check`: whether the grader is asked which side is better.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[Source, ...] = ("draft",)
    share: float = Field(1.0, ge=0, le=1)
    student: TeacherConfig | None = None
    similarity: float = Field(0.8, gt=0, le=1)
    tolerance: float = Field(0.05, ge=0, le=1)
    check: Literal["never", "always"] = "never"

    @model_validator(mode="after")
    def _a_student_is_somebody(self) -> "PairsConfig":
        if "student" in self.sources and self.student is None:
            raise ValueError(
                "student: expected who answers for the source `student`, such as "
                "{kind: openai, model: NAME, base_url: http://host:port/v1}, got nothing"
            )
        return self

    def relative_to(self, folder: Path) -> "PairsConfig":
        """With the student's paths, which a file has relative to itself, joined to that file's folder."""
        return self.model_copy(update={"student": self.student and self.student.relative_to(folder)})


@dataclass(frozen=True, slots=True)
class Asked:
    """A model that is asked, and how it decodes."""

    teacher: Teacher
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class AllAsked:
    """Who is asked for pairs; None for one that no source or check needs."""

    teacher: Asked | None = None
    student: Asked | None = None
    grader: Asked | None = None


@dataclass(frozen=True, slots=True)
class _Worse:
    """What is to be the rejected side. `margin`: its points below the chosen side's, where both are graded."""

    text: str
    cut_off: bool = False
    margin: float | None = None


async def pairs_of(row: Row, cell: list[Row], config: PairsConfig, scores: Shirker, asked: AllAsked) -> list[Row]:
    """A row of `PAIR_SCHEMA` for each source: the pair, or why it was dropped.

    `cell`: all rows of the accepted row's cell, itself among them. `scores` says which shirker model to use.
    """
    return [await _pair(source, row, cell, config, scores, asked) for source in config.sources]


async def _pair(
    source: Source, row: Row, cell: list[Row], config: PairsConfig, scores: Shirker, asked: AllAsked
) -> Row:
    worse, margin = _Worse(""), None
    try:
        found = await _worse(source, row, cell, asked)
        if isinstance(found, PairReason):
            reason: PairReason | None = found
        else:
            worse, margin = found, _margin(row, found, scores)
            reason = _unusable(row, worse, margin, config) or await _doubted(source, row, worse, config, asked)
    except RequestFailed:
        reason = PairReason.NO_REPLY
    chosen = text_of(row["completion"])
    return {
        "id": pair_id(row["id"], source),
        "prompt": row["prompt"],
        "chosen": row["completion"],
        "rejected": [{"role": "assistant", "content": worse.text}] if worse.text else [],
        "chosen_source": CHOSEN[source],
        "rejected_source": source,
        "margin": margin,
        "row": row["id"],
        "chosen_words": count_words(chosen),
        "rejected_words": count_words(worse.text),
        "reason": None if reason is None else str(reason),
    }


async def _worse(source: Source, row: Row, cell: list[Row], asked: AllAsked) -> _Worse | PairReason:
    """The answer that `source` has for the row. Raises `RequestFailed`."""
    if source == "draft":
        return _Worse(row["draft"], _is_broken(row["draft"], row)) if row["draft"] else PairReason.NO_DRAFT
    if source == "low_grade":
        return _low_grade(row, cell)
    seed = derived_seed(row["seed"], source)
    if source == "student":
        assert asked.student is not None
        request = Request(row["prompt"], asked.student.sampling, seed, stage="student")
        reply = await asked.student.teacher.chat(request)
        text = clean(reply.text).strip()
    else:
        assert asked.teacher is not None
        instruction, teacher = text_of(row["prompt"]), asked.teacher
        reply = await shirked(source, row["kind"], instruction, teacher.teacher, teacher.sampling, seed)
        text = reply.text
    return _Worse(text, reply.finish_reason == "length" or _is_broken(text, row))


def _low_grade(row: Row, cell: list[Row]) -> _Worse | PairReason:
    """The answer to the same prompt with the fewest points, accepted or not; whole ones before those cut off."""
    graded = [each for each in cell if each["grade"] and each["id"] != row["id"] and each["prompt"] == row["prompt"]]
    if row["grade"] is None or not graded:
        return PairReason.NOT_GRADED
    total = row["grade"]["total"]
    lower = [each for each in graded if each["grade"]["total"] < total]
    if not lower:
        return PairReason.SAME_GRADE
    found = min(lower, key=lambda each: (_stops(each), each["grade"]["total"], each["generation"]))
    return _Worse(text_of(found["completion"]), _stops(found), round(total - found["grade"]["total"], 6))


def _stops(row: Row) -> bool:
    return row["finish_reason"] == "length" or _is_broken(text_of(row["completion"]), row)


def _is_broken(text: str, row: Row) -> bool:
    return stops_in_the_middle(text, _english(row))


def _english(row: Row) -> bool:
    return row["language"] in (None, "English")


def _margin(row: Row, worse: _Worse, scores: Shirker) -> float | None:
    """The points between two graded answers, else the calibrated score's difference; it knows English answers alone."""
    if worse.margin is not None or row["kind"] == SKILL_MIX or not _english(row) or not worse.text.strip():
        return worse.margin
    return effort_margin(text_of(row["prompt"]), text_of(row["completion"]), worse.text, scores)


def _unusable(row: Row, worse: _Worse, margin: float | None, config: PairsConfig) -> PairReason | None:
    """Why nobody has to be asked about this pair."""
    chosen = text_of(row["completion"])
    if not worse.text.strip():
        return PairReason.EMPTY
    if worse.cut_off:
        return PairReason.CUT_OFF
    if normal_words(worse.text) == normal_words(chosen):
        return PairReason.IDENTICAL
    if jaccard(chosen, worse.text) >= config.similarity:
        return PairReason.NEAR_IDENTICAL
    return PairReason.ORDER_DOUBTED if margin is not None and margin < -config.tolerance else None


async def _doubted(source: Source, row: Row, worse: _Worse, config: PairsConfig, asked: AllAsked) -> PairReason | None:
    """What the grader says against the order, if it is asked. Raises `RequestFailed`."""
    if config.check == "never":
        return None
    assert asked.grader is not None
    request, chosen, grader = text_of(row["prompt"]), text_of(row["completion"]), asked.grader
    seed = derived_seed(row["seed"], source, "check")
    better = await finds_better(request, chosen, worse.text, grader.teacher, grader.sampling, seed)
    if better is None:
        return PairReason.UNREADABLE
    return None if better else PairReason.ORDER_DOUBTED
