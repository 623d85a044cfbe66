"""Grading of one row: by a model, once or several times, by rules for skills that have a rule, or by rules alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from skillmill.data.export.grading_counts import TAKEN_OFF
from skillmill.data.records import GradingRow, Sample
from skillmill.filters.grading.config import GradingConfig, RubricName
from skillmill.filters.grading.points import Points, majority_points
from skillmill.filters.grading.rubric import grading_prompts, rubric_of
from skillmill.filters.grading.rules import RULES, needs_model, points_by_rules, skill_points
from skillmill.skill_taxonomy.cells import Cell, derived_seed
from skillmill.teachers.base import Request, RequestFailed, Sampling, Teacher
from skillmill.teachers.middleware.refusals import TeacherRefuses
from skillmill.teachers.prompts import Prompts
from skillmill.teachers.structured import clean

STAGE = "grade"
"""The stage of grading requests in the accounting of tokens."""
SIGNAL_PREFIX = "grade:"
"""Prefix of the signals of subpoints, such as `grade:helpful`: each is the mean over the gradings of the row.

The signals of points that were taken off begin with `TAKEN_OFF`, which begins with this prefix too; each is the number
of such points in all gradings of the row.
"""


@dataclass(frozen=True)
class Grader:
    """A model that grades, its sampling, the number of times it grades each row, the rubric and its prompts."""

    teacher: Teacher
    sampling: Sampling
    runs: int = 1
    rubric: RubricName = "structured"
    prompts: Prompts = field(default_factory=grading_prompts)


@dataclass(frozen=True, slots=True)
class SingleGrading:
    """One grading of a row, by a model or by rules.

    `run`: its number, from 0. `grader`: the name of the model, or `RULES`. `points`: None if there was no reply or it
    could not be read. `raw`: the text of the reply, "" for rules, None if the request failed. `failure`: why it failed,
    which is not stored.
    """

    run: int
    grader: str
    points: Points | None
    raw: str | None
    failure: str = ""

    def as_row(self, row: str) -> GradingRow:
        """Return the stored form of this grading of the sample row with the id `row`."""
        grade = self.points.as_grade() if self.points else None
        return GradingRow(id=row, run=self.run, grader=self.grader, grade=grade, raw=self.raw)


def should_grade(sample: Sample, config: GradingConfig) -> bool:
    """Return whether a sample with the verdicts of all filters is to be graded under this configuration."""
    if config.when == "never" or not sample.accepted or not sample.response:
        return False
    return config.when == "always" or sample.signals.get("shirker_score", 1.0) >= config.sure_below


def without_grade(sample: Sample) -> Sample:
    """Return the sample without its grade, its grader and the signals of grading."""
    signals = {name: value for name, value in sample.signals.items() if not name.startswith(SIGNAL_PREFIX)}
    return replace(sample, grade=None, grader=None, signals=signals)


async def grade(
    sample: Sample, cell: Cell, grader: Grader | None, known_replies: Mapping[int, str] | None = None
) -> tuple[Sample, list[SingleGrading]]:
    """Return the sample with its grade, and the gradings that the grade was computed from.

    The points are Skill-Mix's (arXiv 2310.17567), combined by `majority_points`. A skill with a rule gets the rule's
    point; if every skill of the cell has a rule, no model is asked and `grader` may be None. `known_replies` are
    earlier replies of this grader by run, which are not requested again. If no reply is usable, the grade is None
    and `grader` is still set. A failed request is a grading without a reply, and so is a grader that refuses every
    request. Raises `TeacherError` if the grader cannot be reached.
    """
    if not needs_model(cell):
        points = points_by_rules(sample, cell)
        return _with_grade(sample, points, RULES), [SingleGrading(0, RULES, points, "")]
    assert grader is not None, "a cell with a skill that no rule decides"
    known = known_replies or {}
    gradings = [await _grade_once(sample, cell, grader, run, known.get(run)) for run in range(grader.runs)]
    usable = [grading.points for grading in gradings if grading.points]
    return _with_grade(sample, majority_points(usable) if usable else None, grader.teacher.name), gradings


async def _grade_once(sample: Sample, cell: Cell, grader: Grader, run: int, known_reply: str | None) -> SingleGrading:
    rubric, skills = rubric_of(cell, grader.rubric), tuple(skill for skill in cell.skills if skill.checker is None)
    raw = known_reply
    if raw is None:
        request = Request(
            rubric.messages(grader.prompts, sample, cell, skills),
            grader.sampling,
            derived_seed(cell.seed, STAGE, sample.generation, run),
            rubric.schema(skills),
            STAGE,
        )
        try:
            raw = clean((await grader.teacher.chat(request)).text)
        except RequestFailed as failure:
            return SingleGrading(run, grader.teacher.name, None, None, failure.detail or str(failure.reason))
        except TeacherRefuses as refusal:  # `grading.on_failure` says what happens then
            return SingleGrading(run, grader.teacher.name, None, None, refusal.detail)
    points = rubric.read(raw, sample, cell, skills)
    return SingleGrading(run, grader.teacher.name, points and _with_rules(points, sample, cell), raw)


def _with_rules(points: Points, sample: Sample, cell: Cell) -> Points:
    """Return the points with those of the skills that have a rule added, all in the cell's order of skills."""
    by_name = {each.skill: each for each in points.skills} | skill_points(sample, cell)
    return replace(points, skills=tuple(by_name[skill.name] for skill in cell.skills))


def _with_grade(sample: Sample, points: Points | None, grader: str) -> Sample:
    subpoints = {f"{SIGNAL_PREFIX}{name}": value for name, value in (points.subpoints if points else {}).items()}
    taken_off = {f"{TAKEN_OFF}{fault}": float(count) for fault, count in (points.taken_off if points else {}).items()}
    grade = points.as_grade() if points else None
    return replace(sample, grade=grade, grader=grader, signals={**sample.signals, **subpoints, **taken_off})
