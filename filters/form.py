"""Is there an answer of the right length, and is it whole?"""

import re

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.config import CutOff, FilterOptions, TooManySentences, TooShort
from skillmill.filters.text import CODE_FENCE, count_sentences, words
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

BROKEN_END = re.compile(r"\b(?:an?|the|and|or|but|my|your|their|our|because|than)[.!?]$|\w\s\.$")
"""A full stop that a length limit of constrained decoding put where no sentence ends."""


def sentence_limit(k: int) -> int:
    """How many sentences a Skill-Mix text may have: max(1, k-1) (Skill-Mix, papers.md 1.4)."""
    return max(1, k - 1)


def empty(sample: Sample, cell: Cell, options: FilterOptions) -> Verdict:
    """An instruction or an answer without a single letter or digit."""
    counted = len(words(sample.response))
    return verdict(Reason.EMPTY, counted == 0 or not words(sample.instruction), words=counted)


def too_short(sample: Sample, cell: Cell, options: TooShort) -> Verdict:
    """Fewer words than the query type asks for, or than k skills can be shown in (Skill-Mix)."""
    if cell.kind == SKILL_MIX:
        wanted = options.words_per_skill * cell.k
    else:
        wanted = cell.query_type.min_words if cell.query_type else options.min_words
    asked = len(words(sample.instruction))
    rejected = len(words(sample.response)) < wanted or asked < options.min_instruction_words
    return verdict(Reason.TOO_SHORT, rejected, instruction_words=asked)


def too_many_sentences(sample: Sample, cell: Cell, options: TooManySentences) -> Verdict:
    """A Skill-Mix text beyond its limit; the answers of Instruct-SkillMix have none."""
    counted = count_sentences(sample.response)
    limit = options.limit or sentence_limit(cell.k)
    return verdict(Reason.TOO_MANY_SENTENCES, cell.kind == SKILL_MIX and counted > limit, sentences=counted)


def cut_off(sample: Sample, cell: Cell, options: CutOff) -> Verdict:
    """The teacher ran into its token limit, or the text itself or its instruction stops in the middle."""
    broken = stops_in_the_middle(sample.response) or BROKEN_END.search(sample.instruction.rstrip()) is not None
    return verdict(Reason.CUT_OFF, sample.finish_reason == "length" or broken)


def stops_in_the_middle(text: str) -> bool:
    """Whether a text ends inside a code block or a sentence.

    The last line decides. A list item, a heading, a signature, a line of code or a formula may end in any
    letter, but not in a comma, a colon, a dash or a word that something must follow ("the", "and").
    """
    stripped = text.rstrip()
    if not stripped:
        return False
    fences = len(CODE_FENCE.findall(stripped))
    if fences % 2:
        return True
    if BROKEN_END.search(stripped[-20:]):
        return True
    if stripped[-1] in WHOLE_ENDINGS or not (stripped[-1].isalnum() or stripped[-1] in ",:-–—("):
        return False
    last_line = stripped.rsplit("\n", 1)[-1]
    last_word = (words(last_line) or [""])[-1]
    if not stripped[-1].isalnum() or last_word in DANGLING:
        return True
    return not (LIST_ITEM.match(last_line) or len(words(last_line)) <= SHORT_LINE)
