"""Whether a short answer to a closed task is complete: of the requested form, not cut off, not evasive, not an echo."""

import re
from collections.abc import Sequence

from skillmill.data.text.tokens import tokens
from skillmill.filters.shirker.features.instruction import FUNCTION_WORDS, InstructionFeatures
from skillmill.filters.shirker.features.word_forms import ends_in_half_word

EVASIVE = re.compile(
    r"^\W*(?:sure\W+|well\W+)?(?:it (?:really |all )?depends|there (?:are|is) (?:many|several|various|a (?:number|lot"
    r"|few)|some|lots|commands?|ways?|"
    r"different|so many)|i(?:'m| am) not (?:sure|certain)|i (?:do not|don't) know|hard to say|i hope"
    r"|please (?:consult|ask|see|check|provide)|"
    r"you can (?:write|use|find|do|try|look)|it (?:will|can|could|may|might) (?:be|vary)\b.{0,20}\b(?:some|later"
    r"|different|many)|he has some|"
    r"(?:a|some) number of|this is (?:a|an) (?:\w+ )?(?:question|topic|task)|i can help|let me know|as an ai"
    r"|this (?:depends|varies)|ok(?:ay)?\W*$|"
    r"here (?:is|are) (?:the|your) (?:answer|response)\W*$|many (?:things|people|factors)|(?:good|great"
    r"|interesting) question)\b",
    re.IGNORECASE,
)
"""The beginning of an answer that says nothing."""
OPEN_END = re.compile(
    r"(?:[,;(\[/&+=<-]|\s(?:the|a|an|and|or|of|to|in|on|at|by|for|with|from|is|are|was|were|that|than|as|my|your"
    r"|their|our|its))$",
    re.IGNORECASE,
)
"""An end that a complete answer does not have."""
NO_MARK_BEFORE = re.compile(r"(?:^|[\s\"'(])[^\W\d_]+$")
"""A last word after a space or quotation mark. "h" in "km/h" is none."""
WORD_KINDS = frozenset(("word", "made up"))
"""The kinds whose right answer has a word that the instruction does not have."""
MOST_REPEATED = 0.5
MOST_OF_A_LIST = 1000
"""The number of characters that hold more words than items can be requested."""


def short_answer(instruction: InstructionFeatures, text: str, declines: bool) -> tuple[float, float]:
    """Return whether a text is a complete short answer as requested, and whether it is a broken one; 1 or 0 each.

    An answer with fewer words than the items that are requested is broken. Both are 0 for every other answer to an open
    task, and for an answer that is longer than a short one.
    """
    form = instruction.form
    if not form.most and instruction.requested_items:
        return 0.0, float(0 < len(tokens(text[:MOST_OF_A_LIST])) < instruction.requested_items)
    if not form.most or len(text) > 40 + 12 * form.most:
        return 0.0, 0.0
    words = tokens(text)
    if len(words) > form.most:
        return 0.0, 0.0
    if not words:
        return 0.0, 0.0
    if declines or _is_broken(instruction, text, words):
        return 0.0, 1.0
    return float(len(words) >= form.fewest), 0.0


def _is_broken(instruction: InstructionFeatures, text: str, words: Sequence[str]) -> bool:
    """Return whether a short answer is cut off, evasive, repetitive, an echo or no text."""
    kind, asked = instruction.form.kind, set(instruction.tokens)
    if is_cut_off(text, frozenset(asked)) or EVASIVE.search(text) or BLANK.search(text):
        return True
    content = [word for word in words if word not in FUNCTION_WORDS]
    if words == ["a"] and not _has_options(instruction.tokens):
        return True
    if len(words) > 1 and len(set(words)) <= MOST_REPEATED * len(words) and not all(map(str.isdigit, words)):
        return True
    if len(words) >= 4 and text.strip() in instruction.text:
        return kind not in ("extract", "choose", "fact", "fill in", "summary", "code")
    return kind in WORD_KINDS and len(words) <= 3 and bool(content) and asked.issuperset(content)


BLANK = re.compile(r"_{3,}|\[(?:insert|blank|mask)")
"""A blank that was not filled in."""


def _has_options(words: list[str]) -> bool:
    """Return whether an instruction has the letters "a" and, after it, "b" of options."""
    return "a" in words and "b" in words[words.index("a") :]


def is_cut_off(text: str, asked: frozenset[str]) -> bool:
    """Return whether a text ends in the middle of a word or of a phrase; `asked` has the words of the instruction."""
    tail = text[-60:]
    if OPEN_END.search(tail):
        return len(text.split()) > 1 or not tail.isalpha()
    return bool(NO_MARK_BEFORE.search(tail)) and ends_in_half_word(tokens(tail)[-1], asked)
