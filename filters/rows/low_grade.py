"""What a grader said, turned into a verdict. Reads the stored grade, so that other thresholds ask nobody."""

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.config import LowGrade
from skillmill.filters.verdict import Verdict, verdict
from skillmill.skill_taxonomy.cells import Cell


def low_grade(sample: Sample, cell: Cell, options: LowGrade) -> Verdict:
    """Too few skills shown, or one of the `required` points missing.

    A row without a grade is let be. Where a grader was asked in vain, the signal `ungraded` says so: its failure is
    no fault of the row's.
    """
    grade = sample.grade
    if grade is None:
        return Verdict(signals={"ungraded": 1.0} if sample.grader else {})
    points = [skill["point"] for skill in grade["skills"]]
    shown = sum(points) / len(points)
    too_low = shown < options.min_skills or any(grade[name] < 1 for name in options.required)
    share = grade["total"] / (len(points) + 3)
    return verdict(Reason.LOW_GRADE, too_low, skills_shown=round(shown, 6), grade_share=round(share, 6))
