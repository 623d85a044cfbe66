"""Rejects rows whose stored grade is too low; other thresholds need no new request to a grader."""

from typing import Literal

from pydantic import Field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell


class LowGrade(RowFilter):
    """Rejects a row in which the grader found too few of the skills, or that lacks one of the `required` points.

    By default a row needs a Skill Fraction of one half (Skill-Mix, arXiv 2310.17567): the share of skills shown,
    which is 0 unless the text has all other points. A row without a grade passes; `grading.on_failure` decides it.
    """

    reason = Reason("low_grade", "the grader gave it fewer points than filters.low_grade asks for")
    signals = ("skills_shown", "grade_share", "ungraded")

    min_skills: float = Field(0.5, ge=0, le=1)
    """The least share, in 0..1, of the row's skills that the grader found."""
    required: tuple[Literal["on_topic", "makes_sense", "within_limit"], ...] = (
        "on_topic",
        "makes_sense",
        "within_limit",
    )
    """The points that a row must have beside those for its skills."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict with the share of skills and the share of all points as signals.

        If a grader was called and gave no grade, the only signal is `ungraded`.
        """
        grade = sample.grade
        if grade is None:
            return Verdict(signals={"ungraded": 1.0} if sample.grader else {})
        points = [skill["point"] for skill in grade["skills"]]
        skills_shown = sum(points) / len(points)
        too_low = skills_shown < self.min_skills or any(grade[name] < 1 for name in self.required)
        share = grade["total"] / (len(points) + 3)
        return self.verdict(too_low, skills_shown=round(skills_shown, 6), grade_share=round(share, 6))
