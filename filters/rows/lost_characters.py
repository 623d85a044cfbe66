"""Rejects texts in which control characters stand where other characters were lost."""

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.escapes import LOST


class LostCharacters(RowFilter):
    r"""Rejects a text with a control character that could not be restored, such as the one of `\b` in JSON."""

    reason = Reason("lost_characters", "the text holds control characters in place of lost characters")

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict, without signals."""
        return self.verdict(LOST in sample.response or LOST in sample.instruction)
