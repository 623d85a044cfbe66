"""Evidence for the points of skills: the quotations of a grader, compared with the answer.

In the structured rubric a skill has its point only if the grader quotes a passage of the answer that shows it. A point
without such a quotation is taken off, and the reason is counted.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from skillmill.data.text.folding import folded
from skillmill.data.text.words import INVISIBLE, UNSPACED_RANGES, count_words
from skillmill.filters.grading.points import SkillPoint

Fault = Literal["no_quote", "too_short", "not_in_answer", "names_skill", "whole_answer", "same_quote"]
"""Why a point is taken off: no quotation; fewer than two words or only function words; not in the answer; nothing but
the name of the skill; the whole answer or nearly so; the same passage for every skill with a point."""

QUOTED_WORDS = 2
"""Least number of words of a quoted passage. A single word occurs in many texts by chance and proves nothing."""
NEARLY_WHOLE = 0.9
"""Share of the answer's words from which on a quotation is nearly the whole answer. One sentence of two is less."""
LONGEST_EVIDENCE = 500
"""Number of characters that are kept of a quotation. A passage of at least `_CUT` may end inside a word."""
_CUT = 190

_MARKS = re.compile(r"[\"'“”‘’„«»‹›「」『』`*_~#>]|\[(?=[^\]\[]{0,200}\]\()|\]\([^()\s]{0,300}\)")
"""Quotation marks, and Markdown's marks of emphasis, code, headings, quotations and links."""
_DASHES = re.compile(r"[\u2010-\u2015\u2212]")
_ELLIPSIS = re.compile(r"\s*(?:\[\s*\.{3,}\s*\]|\(\s*\.{3,}\s*\)|\.{3,})\s*")
_EDGES = ".…,;:!?()[]{}。，、！？；：-+| "
_INSIDE_WORD = rf"[^\W_{UNSPACED_RANGES}\uac00-\ud7a3]"


def passages(evidence: object) -> list[str]:
    """Return the quoted passages of a reply's evidence: a string, or a list of strings; [] for anything else."""
    quotes = evidence if isinstance(evidence, list) else [evidence]
    return [quote for quote in quotes if isinstance(quote, str) and _bare(quote)]


def occurs(evidence: str, text: str) -> bool:
    """Return whether a quotation has enough words and occurs in the text, see `fault_of`."""
    return _fault_in_text([evidence], text) is None


def fault_of(quotes: Sequence[str], skill: str, text: str) -> Fault | None:
    """Return why the quotations do not support the point of a skill, None if they do.

    Compared are words: case, spaces, quotation marks, dashes and Markdown's marks do not matter. A quotation with an
    ellipsis in the middle is several passages. Each passage must occur in the text and have `QUOTED_WORDS` words.
    """
    if fault := _fault_in_text(quotes, text):
        return fault
    pieces = _pieces(quotes, _plain(text))
    if all(piece == _bare(skill) for piece in pieces):
        return "names_skill"
    return "whole_answer" if sum(map(count_words, pieces)) >= NEARLY_WHOLE * count_words(_plain(text)) else None


def with_evidence(
    points: Sequence[SkillPoint], quotes: Sequence[Sequence[str]], text: str
) -> tuple[tuple[SkillPoint, ...], Counter[str]]:
    """Return the points of the skills, 0 where the quotations do not support them, and the number taken off by reason.

    `quotes` are the quoted passages for each point. If two or more points remain and one quotation contains those of
    all others, none of them has its point.
    """
    faults = [
        fault_of(quoted, each.skill, text) if each.point else None for each, quoted in zip(points, quotes, strict=True)
    ]
    shown = [i for i, each in enumerate(points) if each.point and faults[i] is None]
    if _all_the_same([" … ".join(_pieces(quotes[i], _plain(text))) for i in shown]):
        for i in shown:
            faults[i] = "same_quote"
    kept = (
        replace(each, point=0.0, evidence=None) if fault or not each.point else each
        for each, fault in zip(points, faults, strict=True)
    )
    return tuple(kept), Counter(fault for fault in faults if fault)


def _fault_in_text(quotes: Sequence[str], text: str) -> Fault | None:
    whole = _plain(text)
    pieces = _pieces(quotes, whole)
    if not pieces:
        return "no_quote"
    if not all(_stands_in(piece, whole) for piece in pieces):
        return "not_in_answer"
    return "too_short" if any(_proves_nothing(piece) for piece in pieces) else None


def _pieces(quotes: Sequence[str], whole: str) -> list[str]:
    """Return the passages in the form of comparison, split at ellipses that the text does not have."""
    pieces: list[str] = []
    for quote in quotes:
        bare = _bare(quote)
        pieces += [bare] if bare in whole else [part for each in _ELLIPSIS.split(bare) if (part := each.strip(_EDGES))]
    return [piece for piece in pieces if piece]


def _stands_in(piece: str, whole: str) -> bool:
    end = "" if len(piece) >= _CUT else rf"(?!{_INSIDE_WORD})"
    return piece in whole and re.search(rf"(?<!{_INSIDE_WORD}){re.escape(piece)}{end}", whole) is not None


def _proves_nothing(piece: str) -> bool:
    from skillmill.filters.shirker.features.instruction import FUNCTION_WORDS  # patterns; most runs grade nothing

    return count_words(piece) < QUOTED_WORDS or (
        count_words(piece) == QUOTED_WORDS and FUNCTION_WORDS.issuperset(piece.split())
    )


def _all_the_same(pieces: Sequence[str]) -> bool:
    longest = max(pieces, key=len, default="")
    return len(pieces) > 1 and all(piece in longest for piece in pieces)


def _plain(text: str) -> str:
    plain = _MARKS.sub("", folded(text.translate(INVISIBLE)))
    return " ".join(_DASHES.sub("-", plain).split())


def _bare(quote: str) -> str:
    return _plain(quote).strip(_EDGES)
