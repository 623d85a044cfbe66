"""Rejects rows whose instruction or answer has no text."""

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.words import count_words, words
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell


class Empty(RowFilter):
    """Rejects an instruction or an answer without a single letter or digit."""

    reason = Reason("empty", "the answer has no text")
    signals = ("words",)

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict; signal `words` is the number of words of the answer."""
        answer_words = count_words(sample.response)
        return self.verdict(answer_words == 0 or not words(sample.instruction), words=answer_words)
