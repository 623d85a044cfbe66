"""Rejects Skill-Mix texts with more sentences than their limit."""

from pydantic import Field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.lengths import sentence_limit
from skillmill.data.text.sentences import count_sentences
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell


class TooManySentences(RowFilter):
    """Rejects a Skill-Mix text with more sentences than its limit. Instruct-SkillMix answers have no limit."""

    reason = Reason("too_many_sentences", "the text has more sentences than its limit, max(1, k-1) by default")
    signals = ("sentences",)

    limit: int | None = Field(None, ge=1)
    """The most sentences of a text. None: max(1, k-1) as in Skill-Mix, 2k for medium and 4k for long texts."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict; signal `sentences` is the number of sentences of the answer."""
        count = count_sentences(sample.response, cell.english)
        limit = self.limit or sentence_limit(cell.k, cell.length)
        return self.verdict(cell.kind == SKILL_MIX and count > limit, sentences=count)
