"""Is there an answer of the right length, and is it whole?"""

import re

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.sentences import count_sentences
from skillmill.data.text.words import count_words, words
from skillmill.filters.config import CutOff, FilterOptions, TooLong, TooManySentences, TooShort
from skillmill.filters.verdict import Verdict, verdict
from skillmill.skill_taxonomy.cells import Cell

SKILL_MIX = "skill_mix"

WHOLE_ENDINGS = frozenset(".!?…。！？\"'”’»)]}*_`~|;<>")
"""What a finished line of prose, code, table or mark-up may end with; a comma, colon, dash or letter it may not."""

SHORT_LINE = 8
"""Words; a heading, a name or a line of a poem may be as short as this."""
LIST_ITEM = re.compile(r"^\s*(?:[-*+•–]|\d{1,3}[.)]|[a-zA-Z][.)])\s+\S")
DANGLING = frozenset(
    "a an the and or but of to in on at by for from with as if that which who is are was were be has have your "
    "their our my its this these those because than into".split()
)

CODE_FENCE = re.compile(r"^[ \t]*(```|~~~)", re.MULTILINE)
BROKEN_END = re.compile(r"\b(?:an?|the|and|or|but|my|your|their|our|because|than)[.!?]$|\w\s\.$")
"""A full stop that a length limit of constrained decoding put where no sentence ends."""
LONGEST_END = 9
"""Characters that it can see: "because." and what stands before it."""
LOOSE_STOP = re.compile(r"\w\s\.$")
"""The same for any language: "an." or "la." may end a sentence elsewhere."""

WORDS = {"short": (10, 80), "medium": (80, 200), "long": (200, 400)}
"""How many words an answer of each length has; those of Instruct-SkillMix's paper have 307 on average."""
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
LONGER = {"medium": 2, "long": 4}
"""How many sentences a Skill-Mix text of each length may have for each skill; a short one has the paper's limit."""


def sentence_limit(k: int, length: str | None = None) -> int:
    """How many sentences a Skill-Mix text may have: max(1, k-1) (Skill-Mix, papers.md 1.4), more for a longer one."""
    return LONGER[length] * k if length in LONGER else max(1, k - 1)


def number_of_sentences(limit: int) -> str:
    """ "one sentence", "two sentences" … in words, as a person writes it."""
    number = NUMBERS[limit] if limit < len(NUMBERS) else str(limit)
    return f"{number} sentence" if limit == 1 else f"{number} sentences"


def empty(sample: Sample, cell: Cell, options: FilterOptions) -> Verdict:
    """An instruction or an answer without a single letter or digit."""
    counted = count_words(sample.response)
    return verdict(Reason.EMPTY, counted == 0 or not words(sample.instruction), words=counted)


def too_short(sample: Sample, cell: Cell, options: TooShort) -> Verdict:
    """Fewer words than the cell's length or its query type asks for, or than k skills can be shown in (Skill-Mix)."""
    if cell.kind == SKILL_MIX:
        wanted: float = options.words_per_skill * cell.k * (2 if cell.length in LONGER else 1)
    elif cell.length:
        wanted = WORDS[cell.length][0] * (1 - options.tolerance)
    else:
        wanted = cell.query_type.min_words if cell.query_type else options.min_words
    asked = count_words(sample.instruction)
    rejected = count_words(sample.response) < wanted or asked < options.min_instruction_words
    return verdict(Reason.TOO_SHORT, rejected, instruction_words=asked)


def too_long(sample: Sample, cell: Cell, options: TooLong) -> Verdict:
    """More words than the length that the cell aims at; Skill-Mix counts sentences instead."""
    if cell.length is None or cell.kind == SKILL_MIX:
        return Verdict()
    most = WORDS[cell.length][1] * (1 + options.tolerance)
    return verdict(Reason.TOO_LONG, count_words(sample.response) > most)


def too_many_sentences(sample: Sample, cell: Cell, options: TooManySentences) -> Verdict:
    """A Skill-Mix text beyond its limit; the answers of Instruct-SkillMix have none."""
    counted = count_sentences(sample.response, cell.english)
    limit = options.limit or sentence_limit(cell.k, cell.length)
    return verdict(Reason.TOO_MANY_SENTENCES, cell.kind == SKILL_MIX and counted > limit, sentences=counted)


def cut_off(sample: Sample, cell: Cell, options: CutOff) -> Verdict:
    """The teacher ran into its token limit, or the text itself or its instruction stops in the middle."""
    broken_end = BROKEN_END if cell.english else LOOSE_STOP
    broken = broken_end.search(sample.instruction.rstrip()) or stops_in_the_middle(sample.response, cell.english)
    return verdict(Reason.CUT_OFF, sample.finish_reason == "length" or bool(broken))


def stops_in_the_middle(text: str, english: bool = True) -> bool:
    """Whether a text ends inside a code block or a sentence.

    The last line decides. A list item, a heading, a signature, a line of code or a formula may end in any
    letter, but not in a comma, a colon, a dash or, in English, a word that something must follow ("the", "and").
    Thai has no full stop.
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
