"""One row graded: by a model, several times if wanted, by rules where rules decide, or by rules alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from skillmill.data.records import Sample
from skillmill.filters.grading.config import GradingConfig
from skillmill.filters.grading.points import Points, majority
from skillmill.filters.grading.rubric import rubric_of
from skillmill.filters.grading.rules import RULES, needs_a_model, points_by_rules, skill_points
from skillmill.skill_taxonomy.cells import Cell, derived_seed
from skillmill.teachers.base import Request, RequestFailed, Sampling, Teacher
from skillmill.teachers.structured import clean

STAGE = "grade"
"""In the accounts."""
SIGNAL = "grade:"
"""What the signals of finer points begin with, such as `grade:helpful`: the mean over the gradings."""


@dataclass(frozen=True)
class Grader:
    """Who is asked, how it decodes, and how often it is asked about a row."""

    teacher: Teacher
    sampling: Sampling
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Grading:
    """One grading of a row. `points` is None where it could not be used; `raw`, the reply, where there was none."""

    run: int
    grader: str
    points: Points | None
    raw: str | None

    def as_row(self, row: str) -> dict[str, Any]:
        """The row of `GRADES_SCHEMA` of the sample row with id `row`."""
        grade = self.points and self.points.as_grade()
        return {"id": row, "run": self.run, "grader": self.grader, "grade": grade, "raw": self.raw}


def wants_grade(sample: Sample, config: GradingConfig) -> bool:
    """Whether a row that the other filters have decided is to be graded: of accepted ones all, or the unsure."""
    if config.when == "never" or not sample.accepted or not sample.response:
        return False
    return config.when == "always" or sample.signals.get("shirker_score", 1.0) >= config.sure_below


def ungraded(sample: Sample) -> Sample:
    """The sample as it was before any grading."""
    signals = {name: value for name, value in sample.signals.items() if not name.startswith(SIGNAL)}
    return replace(sample, grade=None, grader=None, signals=signals)


async def grade(
    sample: Sample, cell: Cell, grader: Grader | None, known: Mapping[int, str] | None = None
) -> tuple[Sample, list[Grading]]:
    """The sample with its grade, and the gradings behind it (Skill-Mix, papers.md 1.5 and 1.6).

    `known` are replies of this grader, by run, that are not asked for again. A skill with a rule has the rule's point.
    `grader` may be None where every skill has one. Where no reply could be used the grade is None, beside the
    grader's name. Never raises `RequestFailed`: a grader that does not answer is no fault of the row's.
    """
    if not needs_a_model(cell):
        points = points_by_rules(sample, cell)
        return _graded(sample, points, RULES), [Grading(0, RULES, points, "")]
    assert grader is not None, "a cell with a skill that no rule decides"
    gradings = [await _one(sample, cell, grader, run, (known or {}).get(run)) for run in range(grader.runs)]
    usable = [grading.points for grading in gradings if grading.points]
    return _graded(sample, majority(usable) if usable else None, grader.teacher.name), gradings


async def _one(sample: Sample, cell: Cell, grader: Grader, run: int, known: str | None) -> Grading:
    rubric, skills = rubric_of(cell), tuple(skill for skill in cell.skills if skill.checker is None)
    raw = known
    if raw is None:
        request = Request(
            rubric.messages(sample, cell, skills),
            grader.sampling,
            derived_seed(cell.seed, STAGE, sample.generation, run),
            rubric.schema(skills),
            STAGE,
        )
        try:
            raw = clean((await grader.teacher.chat(request)).text)
        except RequestFailed:
            return Grading(run, grader.teacher.name, None, None)
    points = rubric.read(raw, sample, cell, skills)
    return Grading(run, grader.teacher.name, points and _with_rules(points, sample, cell), raw)


def _with_rules(points: Points, sample: Sample, cell: Cell) -> Points:
    """The points of all skills of the cell, in its order."""
    by_name = {each.skill: each for each in points.skills} | skill_points(sample, cell)
    return replace(points, skills=tuple(by_name[skill.name] for skill in cell.skills))


def _graded(sample: Sample, points: Points | None, name: str) -> Sample:
    finer = {f"{SIGNAL}{each}": value for each, value in (points.finer if points else {}).items()}
    given = points.as_grade() if points else None
    return replace(sample, grade=given, grader=name, signals={**sample.signals, **finer})
