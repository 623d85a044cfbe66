"""Rejects answers with too few words."""

from pydantic import Field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.lengths import SENTENCES_PER_SKILL, WORD_RANGES
from skillmill.data.text.words import count_words
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell


class TooShort(RowFilter):
    """Rejects an answer with fewer words than its cell requires, and an instruction of very few words."""

    reason = Reason("too_short", "the answer is shorter than its query type or its number of skills asks for")
    signals = ("instruction_words",)

    min_words: int = Field(25, ge=0)
    """The least words of an Instruct-SkillMix answer whose cell has neither a length nor a query type."""
    words_per_skill: int = Field(6, ge=0)
    """The least words of a Skill-Mix text, per skill; twice as many if its cell has the length medium or long."""
    min_instruction_words: int = Field(4, ge=0)
    tolerance: float = Field(0.25, ge=0, le=1)
    """The share by which an answer may fall below the word range of its cell's length."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict; signal `instruction_words` is the number of words of the instruction."""
        instruction_words = count_words(sample.instruction)
        too_few = count_words(sample.response) < self._min_answer_words(cell)
        rejected = too_few or instruction_words < self.min_instruction_words
        return self.verdict(rejected, instruction_words=instruction_words)

    def _min_answer_words(self, cell: Cell) -> float:
        if cell.kind == SKILL_MIX:
            return self.words_per_skill * cell.k * (2 if cell.length in SENTENCES_PER_SKILL else 1)
        if cell.length:
            return WORD_RANGES[cell.length][0] * (1 - self.tolerance)
        return cell.query_type.min_words if cell.query_type else self.min_words
