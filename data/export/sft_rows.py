"""Selection of the `sft` rows, one per accepted cell, and replacement of some of their answers for `stress`."""

from collections.abc import Iterable, Iterator, Mapping

from skillmill.data.export.masking import Mask
from skillmill.data.records import SampleRow, StressAnswerRow, StressRow

AnswersByPlan = Mapping[str, Iterable[StressAnswerRow]]
"""The low-effort answers of stress sets by plan, each ordered by index."""


def sft_rows(rows: Iterable[SampleRow]) -> Iterator[SampleRow]:
    """Return the best accepted row of each cell that has one, in order of first appearance.

    `rows` holds whole cells. Reads the columns `index`, `generation`, `verdict` and `grade`.
    """
    by_cell: dict[int, list[SampleRow]] = {}
    for row in rows:
        if row["verdict"] == "accepted":
            by_cell.setdefault(row["index"], []).append(row)
    return map(best_row, by_cell.values())


def best_row(rows: Iterable[SampleRow]) -> SampleRow:
    """Return the row with the highest `grade.total`, among equals that of the lowest generation."""
    return min(rows, key=lambda row: (-(row["grade"]["total"] if row["grade"] else 0.0), row["generation"]))


class StressAnswers:
    """The low-effort answers of one plan's stress set, read in step with the `sft` rows; both are ordered by index."""

    def __init__(self, answers: Iterable[StressAnswerRow]) -> None:
        self._answers = iter(answers)
        self._next = next(self._answers, None)

    def stress_row(self, row: SampleRow, mask: Mask) -> StressRow:
        """Return the row of `stress` for an `sft` row, with the masked low-effort answer if there is one for it."""
        while self._next is not None and self._next["index"] < row["index"]:  # its row is no longer in `sft`
            self._next = next(self._answers, None)
        result: StressRow = {
            "id": row["id"],
            "k": row["k"],
            "skills": row["skills"],
            "topic": row["topic"],
            "query_type": row["query_type"],
            "prompt": row["prompt"],
            "completion": row["completion"],
            "replaced_by": None,
        }
        if self._next is not None and self._next["row"] == row["id"] and self._next["text"]:
            result["completion"] = [{"role": "assistant", "content": mask(self._next["text"])}]
            result["replaced_by"] = self._next["source"]
        return result
