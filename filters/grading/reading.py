"""A grader's reply, read without trust. Pure functions that take any text and raise nothing."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from skillmill.data.text.measures import count_words
from skillmill.skill_taxonomy.taxonomy import canonical
from skillmill.teachers.structured import clean

LONGEST_EVIDENCE = 500
"""Characters that are kept of a quoted piece."""
EVIDENCE_WORDS = 2
"""A single word stands in nearly every text: it proves nothing, unless it is all that the text has."""

_POINT = r"\**(\d{1,3}(?:\.\d{1,6})?)(?: ?/ ?\d{1,3})?\**"
_CELL = re.compile(rf"{_POINT}$")
_LINE = re.compile(rf"[:=–—-] ?{_POINT}[.,;]?$")
_TOTAL = re.compile(r"^\W*(?:grand |final |overall )?(?:total|grade|score|sum)\b", re.IGNORECASE)
_MARKS = re.compile(r"[\"'“”‘’„«»`*_]")
_YES, _NO = frozenset(("yes", "true")), frozenset(("no", "false"))


def point_of(value: object) -> float | None:
    """A point in 0..1 out of what JSON holds: true, 1, 0.5, "1/1", "yes"; None where that says nothing."""
    if isinstance(value, str):
        word = value.strip().lower()
        found = _CELL.match(word)
        return 1.0 if word in _YES else 0.0 if word in _NO else _clipped(float(found[1])) if found else None
    return _clipped(value) if isinstance(value, int | float) else None


def _clipped(number: float) -> float | None:
    return float(min(max(number, 0), 1)) if number == number else None  # JSON of Python's kind knows NaN


def entries(value: object) -> dict[str, Any]:
    """What a reply says by skill: an object by name, or a list of objects that have one. By canonical name."""
    if isinstance(value, Mapping):
        return {canonical(str(name)): said for name, said in value.items()}
    found = {}
    for said in value if isinstance(value, list) else ():
        name = said.get("skill", said.get("name")) if isinstance(said, Mapping) else None
        if isinstance(name, str):
            found[canonical(name)] = said
    return found


def verdict_of(said: object) -> tuple[float | None, str | None]:
    """The point of one skill and the evidence that was given for it, from an object or from a point alone."""
    if not isinstance(said, Mapping):
        return point_of(said), None
    points = (point_of(said.get(name)) for name in ("point", "shown", "points"))
    point = next((point for point in points if point is not None), None)
    evidence = said.get("evidence")
    quoted = clean(evidence).strip()[:LONGEST_EVIDENCE] if isinstance(evidence, str) else ""
    return point, quoted or None


def listed_points(text: str) -> list[float]:
    """The points of a reply in words, in order: of a table's rows, else of lines such as "Makes sense: 1/1".

    Totals are left out: the grader's arithmetic does not count.
    """
    lines = [line.strip() for line in text.splitlines()]
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if "|" in line]
    of_rows = [(row[0], _CELL.match(row[-1])) for row in rows if len(row) > 1]
    found = of_rows if any(match for _, match in of_rows) else [(line, _LINE.search(line)) for line in lines]
    points = [_clipped(float(match[1])) for name, match in found if match and not _TOTAL.search(name)]
    return [point for point in points if point is not None]


def occurs(evidence: str, text: str) -> bool:
    """Whether a quoted piece stands in the text, spaces, case, quotation marks and emphasis aside.

    It has to have two words, unless the text has no more. What was left out in the middle ("… ") is not looked for.
    """
    quoted, whole = _folded(evidence).strip(".…,;:!?()[] "), _folded(text)
    return bool(quoted) and quoted in whole and count_words(quoted) >= min(EVIDENCE_WORDS, count_words(whole))


def _folded(text: str) -> str:
    return " ".join(_MARKS.sub("", unicodedata.normalize("NFKC", text).casefold()).split())
