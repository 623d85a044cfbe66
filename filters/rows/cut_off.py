"""Rejects rows whose answer or instruction stops in the middle."""

import re

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.words import words
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell

WHOLE_ENDINGS = frozenset(".!?…。！？\"'”’»)]}*_`~|;<>")
"""The characters that may end the last line of prose, code, a table or mark-up."""

SHORT_LINE = 8
"""The most words of a last line that may end without punctuation: a heading, a name, a line of a poem."""
CODE_FENCE = lazy_pattern(r"^[ \t]*(```|~~~)", re.MULTILINE)
LIST_ITEM = lazy_pattern(r"^\s*(?:[-*+•–]|\d{1,3}[.)]|[a-zA-Z][.)])\s+\S")
CLOSING = lazy_pattern(
    r"^[-*_=—–]{3,}$"  # a horizontal rule
    r"|(?:[\"'”’».!?…)*_]|^) ?[-–—]{1,2} ?[^\W\d_a-z](?:[^.!?]|(?<=[A-Z])\.){1,80}$"  # the author of a quotation
    r"|(?:^|\s)[#@]\w+$"  # a hashtag, an account
    r"|(?:https?://|www\.)\S+$|\S@[\w-]+(?:\.[\w-]+)+$"  # an address
    r"|(?:[=≈:]|\b(?:is|are|equals|was|were)) ?[-−]?[$€£]?\d[\d.,]*(?: ?[^\W\d]{1,3}[²³23]?)?$"  # a result
    r"|= [^=]*\d$|^(?:.+=)?(?:[\w.'-]{1,3}, ){2,}[\w.'-]{1,3}$"  # a formula, a sequence of symbols
    r"|\d[.)] [^.!?]{1,40}$|(?: [-–—|→] [\w' ]{1,30}){3,}$"  # the last of several items
    r"|\S \| \S"  # a row of a table
)
"""A last line that is whole without an end mark."""
SIGN_OFF = lazy_pattern(
    r"(?:^|\n)[*_]{0,2}(?:(?:best|kind|warm|yours|many)\b.{0,20}|sincerely|regards|love|cheers|thank).{0,25},",
    re.IGNORECASE,
)
"""The closing formula of a letter; what follows it is a signature."""
VERSE_LINES, VERSE_WORDS = 2, 14
"""The lines of its stanza before the last line that make it a verse, if they end in no full stop; its most words."""
DANGLING = frozenset(
    "a an the and or but of to in on at by for from with as if that which who is are was were be has have your "
    "their our my its this these those because than into".split()
)
"""The English words that cannot end a sentence."""

BROKEN_END = lazy_pattern(r"\b(?:an?|the|and|or|but|my|your|their|our|because|than)[.!?]$|\w\s\.$")
"""A full stop after an English word that cannot end a sentence, or after a space.

Constrained decoding puts such a full stop where its length limit ends the text.
"""
LONGEST_END = 9
"""The length in characters of the longest match of `BROKEN_END`: "because." and the character before it."""
LOOSE_STOP = lazy_pattern(r"\w\s\.$")
"""A full stop after a space. Used for other languages, in which "an." or "la." may end a sentence."""


class CutOff(RowFilter):
    """Rejects an answer or an instruction that stops in the middle. Has no options."""

    reason = Reason("cut_off", "the answer stops in the middle")

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict, without signals; an answer that reached the token limit is rejected too."""
        broken_end = BROKEN_END if cell.english else LOOSE_STOP
        broken = broken_end.search(sample.instruction.rstrip()[-LONGEST_END:]) or stops_in_the_middle(
            sample.response, cell.english
        )
        return self.verdict(sample.finish_reason == "length" or bool(broken))


def stops_in_the_middle(text: str, english: bool = True) -> bool:
    """Return whether a text ends inside a code block or a sentence.

    The last line decides. A list item, a heading, a signature, the author of a quotation, a hashtag, an address, a
    verse, a line of code or a formula may end in any letter, but not in a comma, a colon, a dash or, in English, a word
    that cannot end a sentence ("the", "and"). A text that ends in a Thai letter is complete: Thai has no full stop.
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
        return not CLOSING.match(last_line) or stripped[-1].isalnum()
    return not (LIST_ITEM.match(last_line) or len(words(last_line)) <= SHORT_LINE or _is_whole(stripped, last_line))


def _is_whole(text: str, last_line: str) -> bool:
    """Return whether a last line that ends in a letter or digit is a closing, a signature or a verse."""
    before = [line.rstrip() for line in text[-1000:].split("\n")[:-1]]
    stanza = before[-VERSE_LINES:]
    return (
        CLOSING.search(last_line) is not None
        or SIGN_OFF.search("\n".join(before[-5:])) is not None
        or (
            len(stanza) == VERSE_LINES
            and len(words(last_line)) <= VERSE_WORDS
            and all(line and (line[-1].isalnum() or line[-1] == ",") for line in stanza)
        )
    )
