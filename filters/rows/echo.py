"""Rejects answers that copy the instruction, and rows with blanks to fill in."""

import re

from pydantic import Field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.phrases import contains_any
from skillmill.data.text.repetition import covered_share
from skillmill.data.text.words import words
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell

PLACEHOLDER = re.compile(r"\[insert\b[^\]\n]{0,60}\](?!\()|<insert\b[^>\n]{0,60}>|\blorem ipsum\b", re.IGNORECASE)
"""A blank that neither an instruction nor an answer may have."""
BLANK = re.compile(r"\[(?:your|enter|add|name|describe|fill|specify|topic|skill)\b[^\]\n]{0,60}\](?!\()", re.IGNORECASE)
"""A blank that an instruction may not have. An answer may: a template or a letter needs it."""
BLANK_SIGNS = ("[", "<", "lorem")
"""In lower case. Every match of the two patterns contains one of them; searching for them first is faster."""
NGRAM = 8


class Echo(RowFilter):
    """Rejects an answer that copies the instruction, and a row with blanks such as "[insert name]"."""

    reason = Reason("echo", "the answer gives back the instruction instead of answering it")
    signals = ("instruction_overlap", "placeholders")

    max_answer_from_instruction: float = Field(0.5, gt=0, le=1)
    """The largest share, in 0..1, of the answer's words that are in an 8-gram of the instruction."""
    max_placeholders: int = Field(0, ge=0)
    """The most blanks in instruction and answer together."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict with the two measures as signals."""
        overlap = covered_share(words(sample.response), words(sample.instruction), NGRAM)
        blanks = _count(PLACEHOLDER, sample.response)
        blanks += _count(PLACEHOLDER, sample.instruction) + _count(BLANK, sample.instruction)
        rejected = overlap > self.max_answer_from_instruction or blanks > self.max_placeholders
        return self.verdict(rejected, instruction_overlap=overlap, placeholders=blanks)


def _count(pattern: re.Pattern[str], text: str) -> int:
    return len(pattern.findall(text)) if contains_any(text.lower(), BLANK_SIGNS) else 0
