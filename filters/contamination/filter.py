"""The row filter `contamination`: rejects rows that share long n-grams with evaluation sets."""

from pathlib import Path
from typing import Self

from pydantic import Field, PrivateAttr, model_validator

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.contamination.evaluation_sets import EvaluationSet
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell


class Contamination(RowFilter):
    """Rejects a row that shares an n-gram of words with an evaluation set. Checks nothing if there are no sets."""

    reason = Reason("contamination", "the row holds a text that models are tested on, or a long run of its words")
    signals = ("evaluation_ngrams", "evaluation_place", "evaluation_words")

    sets: tuple[EvaluationSet, ...] = ()
    """Evaluation sets, by name or as `FILE:COLUMN`."""
    report: int = Field(8, ge=4)
    """The length in words of the n-grams that are counted in the signals."""
    drop: int | None = Field(13, ge=4)
    """The length in words of the n-grams that reject the row; None rejects no row."""

    _index: Path | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _validate_lengths_and_names(self) -> Self:
        if self.drop is not None and self.drop < self.report:
            raise ValueError(f"drop: expected at least as many words as report, {self.report}, got {self.drop}")
        names = [evaluation_set.name for evaluation_set in self.sets]
        if repeated := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"sets: two are named {repeated}, give one another name: {{name: ..., dataset: ...}}")
        return self

    @property
    def index(self) -> Path | None:
        """The index file of the sets, None before `ngram_index.with_index` has set it."""
        return self._index

    def indexed_in(self, path: Path) -> "Contamination":
        """Return the same options with `path` as their index file."""
        indexed = self.model_copy()
        indexed._index = path
        return indexed

    def relative_to(self, folder: Path) -> "Contamination":
        """Return the same options with the paths of the sets taken relative to `folder`."""
        return self.model_copy(update={"sets": tuple(each.relative_to(folder) for each in self.sets)})

    def applies_to(self, cell: Cell) -> bool:
        """Return whether the rows of this cell are to be checked: there are evaluation sets to compare them with."""
        return bool(self.sets) and super().applies_to(cell)

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict on instruction and response, with the signals that `shared_ngrams` describes."""
        from skillmill.filters.contamination.matching import contamination  # numpy loads at the first check

        return contamination(sample, cell, self)
