"""The funnel: counts of the cells, rows and pairs that were generated, rejected and exported."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from skillmill.data.export.grading_counts import GradingCounts, points_taken_off
from skillmill.data.export.pair_counts import PairCounts
from skillmill.data.records import Grade, SampleRow

EARNED = ("every skill", "on topic", "makes sense", "within limit", "full marks")
"""The keys of `Funnel.earned`. "full marks": every other one."""


@dataclass
class Funnel:
    """Counts over the rows of a plan. A cell or row is accepted if its verdict, or that of one of its rows, is so."""

    cells: int = 0
    rows: int = 0
    accepted_rows: int = 0
    accepted_cells: int = 0
    pairs: int = 0
    gradings: int = 0
    unusable_gradings: int = 0
    """Gradings without a grade: the grader gave no reply, or one that cannot be read."""
    self_records: int = 0
    per_k: Counter[int] = field(default_factory=Counter)
    """Accepted cells by number of skills."""
    per_skill: Counter[str] = field(default_factory=Counter)
    """Accepted cells by skill."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Rejected rows by reason; a row with two reasons is counted for both."""
    graded: Counter[str] = field(default_factory=Counter)
    """Rows with a grade, by grader."""
    ungraded: int = 0
    """Rows that were sent to a grader but have no grade."""
    points_taken_off: Counter[str] = field(default_factory=Counter)
    """Points of skills that were taken off for want of evidence, by reason."""
    earned: Counter[str] = field(default_factory=Counter)
    """Graded rows that have the full point, for each name in `EARNED`."""
    preference: dict[str, PairCounts] = field(default_factory=dict)
    """Pairs by source of the rejected side."""
    stress: Counter[str] = field(default_factory=Counter)
    """Replaced answers of the stress set, by kind of the replacement."""

    @property
    def rejected_rows(self) -> int:
        """The number of rows that are not accepted."""
        return self.rows - self.accepted_rows

    @property
    def grading_counts(self) -> GradingCounts:
        """The counts of grading."""
        return GradingCounts(self.graded, self.ungraded, self.gradings, self.unusable_gradings, self.points_taken_off)

    def count(self, rows: Sequence[SampleRow]) -> None:
        """Add rows of whole cells.

        Reads the columns `index`, `verdict`, `reasons`, `k`, `skills`, `grade`, `grader` and `signals`.
        """
        accepted = [row for row in rows if row["verdict"] == "accepted"]
        self.rows += len(rows)
        self.accepted_rows += len(accepted)
        for row in rows:
            if row["verdict"] == "rejected":  # a row that an override accepts has reasons too
                self.reasons.update(row["reasons"])
            if row["grade"]:
                self.graded[str(row["grader"])] += 1
                self.earned.update(_earned(row["grade"]))
            if row["grader"] is not None:
                self.points_taken_off.update(points_taken_off(row["signals"] or ()))
            self.ungraded += row["grader"] is not None and row["grade"] is None
        accepted_by_cell = {row["index"]: row for row in accepted}
        self.cells += len({row["index"] for row in rows})
        self.accepted_cells += len(accepted_by_cell)
        for row in accepted_by_cell.values():
            self.per_k[row["k"]] += 1
            self.per_skill.update(row["skills"])

    def points_earned(self) -> list[tuple[str, int, float]]:
        """Return for each name in `EARNED` the number of graded rows with that point, and their share from 0 to 1."""
        graded = sum(self.graded.values())
        return [(name, self.earned[name], self.earned[name] / graded) for name in EARNED] if graded else []

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values, with sorted keys in every counter."""
        return {key: _json_value(value) for key, value in vars(self).items()}


def _earned(grade: Grade) -> Iterator[str]:
    points = [
        all(skill["point"] == 1 for skill in grade["skills"]),
        grade["on_topic"] == 1,
        grade["makes_sense"] == 1,
        grade["within_limit"] == 1,
    ]
    return compress(EARNED, [*points, all(points)])


def _json_value(value: object) -> object:
    if isinstance(value, PairCounts):
        return value.as_dict()
    if isinstance(value, dict):
        return {str(key): _json_value(inner) for key, inner in sorted(value.items())}
    return value
