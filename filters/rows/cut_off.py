"""Rejects rows whose answer or instruction stops in the middle."""

import re

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.words import words
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell

WHOLE_ENDINGS = frozenset(".!?…。！？\"'”’»)]}*_`~|;<>")
"""The characters that may end the last line of prose, code, a table or mark-up."""

SHORT_LINE = 8
"""The most words of a last line that may end without punctuation: a heading, a name, a line of a poem."""
CODE_FENCE = re.compile(r"^[ \t]*(```|~~~)", re.MULTILINE)
LIST_ITEM = re.compile(r"^\s*(?:[-*+•–]|\d{1,3}[.)]|[a-zA-Z][.)])\s+\S")
DANGLING = frozenset(
    "a an the and or but of to in on at by for from with as if that which who is are was were be has have your "
    "their our my its this these those because than into".split()
)
"""The English words that cannot end a sentence."""

BROKEN_END = re.compile(r"\b(?:an?|the|and|or|but|my|your|their|our|because|than)[.!?]$|\w\s\.$")
"""A full stop after an English word that cannot end a sentence, or after a space.

Constrained decoding puts such a full stop where its length limit ends the text.
"""
LONGEST_END = 9
"""The length in characters of the longest match of `BROKEN_END`: "because." and the character before it."""
LOOSE_STOP = re.compile(r"\w\s\.$")
"""A full stop after a space. Used for other languages, in which "an." or "la." may end a sentence."""


class CutOff(RowFilter):
    """Rejects an answer or an instruction that stops in the middle. Has no options."""

    reason = Reason("cut_off", "the answer stops in the middle")

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict, without signals; an answer that reached the token limit is rejected too."""
        broken_end = BROKEN_END if cell.english else LOOSE_STOP
        broken = broken_end.search(sample.instruction.rstrip()) or stops_in_the_middle(sample.response, cell.english)
        return self.verdict(sample.finish_reason == "length" or bool(broken))


def stops_in_the_middle(text: str, english: bool = True) -> bool:
    """Return whether a text ends inside a code block or a sentence.

    The last line decides. A list item, a heading, a signature, a line of code or a formula may end in any letter,
    but not in a comma, a colon, a dash or, in English, a word that cannot end a sentence ("the", "and"). A text that
    ends in a Thai letter is complete: Thai has no full stop.
    """
    stripped = text.rstrip()
    if not stripped:
        return False
    fenced = "```" in stripped or "~~~" in stripped
    if fenced and len(CODE_FENCE.findall(stripped)) % 2:
        return True
    if (BROKEN_END if english else LOOSE_STOP).search(stripped[-LONGEST_END:]):
        return True
    if "\u0e00" <= stripped[-1] <= "\u0e7f":
        return False
    if stripped[-1] in WHOLE_ENDINGS or not (stripped[-1].isalnum() or stripped[-1] in ",:-–—("):
        return False
    last_line = stripped.rsplit("\n", 1)[-1]
    last_word = (words(last_line) or [""])[-1]
    if not stripped[-1].isalnum() or (english and last_word in DANGLING):
        return True
    return not (LIST_ITEM.match(last_line) or len(words(last_line)) <= SHORT_LINE)
