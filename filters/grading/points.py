"""What one grading says of a row, and what several say together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

OTHERS = ("on_topic", "makes_sense", "within_limit")
"""The points beside those of the skills (Skill-Mix, papers.md 1.5). Of an instruction and its answer they say: the
answer addresses it, it makes sense, nothing that it asks for is missing (docs/filters.md)."""


@dataclass(frozen=True, slots=True)
class SkillPoint:
    """`evidence` is a piece of the text; None where there is none to show."""

    skill: str
    point: float
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class Points:
    """k + 3 points, each in 0..1, and what lies behind them: finer points by name."""

    skills: tuple[SkillPoint, ...]
    on_topic: float
    makes_sense: float
    within_limit: float
    finer: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Ours: graders are poor at adding up (papers.md 1.5)."""
        return sum(each.point for each in self.skills) + sum(getattr(self, name) for name in OTHERS)

    def as_grade(self) -> dict[str, Any]:
        """A value of `GRADE`."""
        return {
            "skills": [{"skill": s.skill, "point": s.point, "evidence": s.evidence} for s in self.skills],
            **{name: getattr(self, name) for name in OTHERS},
            "total": self.total,
        }


def majority(gradings: Sequence[Points]) -> Points:
    """Each point the rounded mean over at least one grading of one row, half rounds to 0 (Skill-Mix, papers.md 1.6).

    A point that is earned has the first evidence of those who gave it. Finer points are means.
    """
    skills = [_agreed([grading.skills[i] for grading in gradings]) for i in range(len(gradings[0].skills))]
    others = {name: _vote([getattr(grading, name) for grading in gradings]) for name in OTHERS}
    names = dict.fromkeys(name for grading in gradings for name in grading.finer)
    finer = {name: _mean([grading.finer[name] for grading in gradings if name in grading.finer]) for name in names}
    return Points(tuple(skills), **others, finer=finer)


def _agreed(said: list[SkillPoint]) -> SkillPoint:
    point = _vote([each.point for each in said])
    evidence = next((each.evidence for each in said if each.point and each.evidence), None)
    return SkillPoint(said[0].skill, point, evidence if point else None)


def _vote(points: list[float]) -> float:
    return float(round(_mean(points)))


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers)
