"""The points of one grading of a row, and the majority over several gradings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from skillmill.data.records import Grade, SkillGrade

Criterion = Literal["on_topic", "makes_sense", "within_limit"]

OTHER_CRITERIA: tuple[Criterion, ...] = ("on_topic", "makes_sense", "within_limit")
"""The three criteria of every rubric besides one per skill (Skill-Mix, arXiv 2310.17567).

For an instruction and its answer they mean: the answer addresses the instruction; both make sense; nothing that the
instruction asks for is missing (docs/filters.md).
"""


@dataclass(frozen=True, slots=True)
class SkillPoint:
    """The point of one skill, 0..1. `evidence` is the passage of the text that shows it, None if none was given."""

    skill: str
    point: float
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class Points:
    """The k + 3 points of a row with k skills, each 0..1.

    `subpoints` are the points of the criteria that a rubric combines into the three others, by name; empty if it
    combines none. `taken_off`: the number of points of skills that a grader gave without evidence, by reason.
    """

    skills: tuple[SkillPoint, ...]
    on_topic: float
    makes_sense: float
    within_limit: float
    subpoints: dict[str, float] = field(default_factory=dict)
    taken_off: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> float:
        """The sum of the k + 3 points. A total in the grader's reply is not used, as in Skill-Mix's released code."""
        return sum(each.point for each in self.skills) + self.on_topic + self.makes_sense + self.within_limit

    def as_grade(self) -> Grade:
        """Return the points in the form in which a row stores them; `subpoints` and `taken_off` are left out."""
        return Grade(
            skills=[SkillGrade(skill=each.skill, point=each.point, evidence=each.evidence) for each in self.skills],
            on_topic=self.on_topic,
            makes_sense=self.makes_sense,
            within_limit=self.within_limit,
            total=self.total,
        )


def majority_points(gradings: Sequence[Points]) -> Points:
    """Return the majority over one or more gradings of the same row.

    Each of the k + 3 points is the rounded mean, 0 or 1; a mean of one half rounds to 0 (Skill-Mix, arXiv 2310.17567,
    `aggregate_metrics.py` of the released code). A skill with point 1 takes the first evidence of the gradings that
    gave it a point. Subpoints are means, and points that were taken off are counted over all gradings.
    """
    skills = [_majority_skill([grading.skills[i] for grading in gradings]) for i in range(len(gradings[0].skills))]
    names = dict.fromkeys(name for grading in gradings for name in grading.subpoints)
    return Points(
        tuple(skills),
        on_topic=_majority([grading.on_topic for grading in gradings]),
        makes_sense=_majority([grading.makes_sense for grading in gradings]),
        within_limit=_majority([grading.within_limit for grading in gradings]),
        subpoints={
            name: _mean([grading.subpoints[name] for grading in gradings if name in grading.subpoints])
            for name in names
        },
        taken_off=sum((grading.taken_off for grading in gradings), Counter()),
    )


def _majority_skill(votes: list[SkillPoint]) -> SkillPoint:
    point = _majority([vote.point for vote in votes])
    evidence = next((vote.evidence for vote in votes if vote.point and vote.evidence), None)
    return SkillPoint(votes[0].skill, point, evidence if point else None)


def _majority(points: list[float]) -> float:
    return float(round(_mean(points)))


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)
