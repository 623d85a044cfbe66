"""Counts of the graded rows of a plan, and of the rows and gradings for which the grader gave nothing usable."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from skillmill.data.store import ShardStore

TAKEN_OFF = "grade:taken_off:"
"""Prefix of the signals that count the points of skills that were taken off a row for want of evidence."""


@dataclass(frozen=True)
class GradingCounts:
    """How many rows were graded, by grader, and how many in vain; how many gradings there are, and unusable ones."""

    graded: Counter[str] = field(default_factory=Counter)
    ungraded: int = 0
    """Rows that were sent to a grader but have no grade."""
    gradings: int = 0
    unusable: int = 0
    taken_off: Counter[str] = field(default_factory=Counter)
    """Points of skills that were taken off for want of evidence, by reason."""

    def __str__(self) -> str:
        """Return the counts in one line, such as "10 graded by gpt, 2 in vain"; "" if no row was sent to a grader.

        The gradings are named if there are several of a row and some are unusable. A name can be any text.
        """
        if not (self.graded or self.ungraded):
            return ""
        parts = [f"{rows:,} graded by {grader}" for grader, rows in sorted(self.graded.items())] or ["0 graded"]
        if self.ungraded:
            parts.append(f"{self.ungraded:,} in vain")
        if self.unusable and self.gradings > self.graded.total() + self.ungraded:
            parts.append(f"{self.unusable:,} of {self.gradings:,} gradings unusable")
        if self.taken_off:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(self.taken_off.items()))
            parts.append(f"{self.taken_off.total():,} points of skills taken off ({reasons})")
        return ", ".join(parts)

    def as_totals(self) -> dict[str, int | dict[str, int]]:
        """Return the counts under the keys that `totals` of `run.json` has."""
        return {
            "graded": self.graded.total(),
            "ungraded": self.ungraded,
            "gradings": self.gradings,
            "unusable_gradings": self.unusable,
            "points_taken_off": dict(sorted(self.taken_off.items())),
        }


def points_taken_off(signals: Iterable[tuple[str, float]]) -> Counter[str]:
    """Return the number of points that a row lost for want of evidence, by reason, from its signals."""
    counts = {name.removeprefix(TAKEN_OFF): int(count) for name, count in signals if name.startswith(TAKEN_OFF)}
    return Counter(counts)


def count_gradings(samples: ShardStore, grades: ShardStore, plan: str) -> GradingCounts:
    """Return the counts over the stored rows and gradings of a plan. Raises `StoreError` if a shard is unreadable."""
    graded, taken_off, rows, gradings, unusable = Counter[str](), Counter[str](), 0, 0, 0
    for shard in samples.of_plan(plan):
        table = samples.read_unverified(shard, ["grade", "grader", "signals"])
        rows += table.num_rows - table["grader"].null_count
        with_grade = table.filter(table["grade"].is_valid())["grader"]
        graded.update({each["values"]: each["counts"] for each in with_grade.value_counts().to_pylist()})
        for row in table.filter(table["grader"].is_valid())["signals"].to_pylist():
            taken_off.update(points_taken_off(row or ()))
    for shard in grades.of_plan(plan):
        grade = grades.read_unverified(shard, ["grade"])["grade"]
        gradings += len(grade)
        unusable += grade.null_count
    return GradingCounts(graded, rows - graded.total(), gradings, unusable, taken_off)
