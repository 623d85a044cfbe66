"""Rejects answers that are longer than the length of their cell."""

from pydantic import Field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.lengths import WORD_RANGES
from skillmill.data.text.words import count_words
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell


class TooLong(RowFilter):
    """Rejects an answer with more words than the length of its cell allows.

    Cells without a length have no limit. Skill-Mix texts are checked by `TooManySentences` instead.
    """

    reason = Reason("too_long", "the answer is longer than the length that its cell aims at")

    tolerance: float = Field(0.25, ge=0)
    """The share by which an answer may exceed the word range of its cell's length."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict, without signals."""
        if cell.length is None or cell.kind == SKILL_MIX:
            return Verdict()
        max_words = WORD_RANGES[cell.length][1] * (1 + self.tolerance)
        return self.verdict(count_words(sample.response) > max_words)
