"""Parsing of a grader's reply. Pure functions that accept any text and never raise."""

import re
from collections.abc import Mapping

from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.filters.grading.evidence import passages
from skillmill.skill_taxonomy.taxonomy import canonical
from skillmill.teachers.structured import clean

_POINT = r"\**(\d{1,3}(?:\.\d{1,6})?)(?: ?/ ?\d{1,3})?\**"
_CELL = lazy_pattern(rf"{_POINT}$")
_LINE = lazy_pattern(rf"[:=–—-] ?{_POINT}[.,;]?$")
_TOTAL = lazy_pattern(r"^\W*(?:grand |final |overall )?(?:total|grade|score|sum)\b", re.IGNORECASE)
_YES, _NO = frozenset(("yes", "true")), frozenset(("no", "false"))


def parse_point(value: object) -> float | None:
    """Return the point, 0..1, of a JSON value such as true, 1, 0.5, "1/1" or "yes"; None for any other value."""
    if isinstance(value, str):
        word = value.strip().lower()
        number = _CELL.match(word)
        return 1.0 if word in _YES else 0.0 if word in _NO else _clipped(float(number[1])) if number else None
    return _clipped(value) if isinstance(value, int | float) else None


def entries_by_skill(value: object) -> dict[str, object]:
    """Return a reply's entry of each skill, by the skill's canonical name.

    Accepts an object with the skills' names as keys, or a list of objects that each have a "skill" or a "name".
    """
    if isinstance(value, Mapping):
        return {canonical(str(name)): entry for name, entry in value.items()}
    entries = {}
    for entry in value if isinstance(value, list) else ():
        name = entry.get("skill", entry.get("name")) if isinstance(entry, Mapping) else None
        if isinstance(name, str):
            entries[canonical(name)] = entry
    return entries


def point_and_evidence(entry: object) -> tuple[float | None, list[str]]:
    """Return the point of one skill, None if missing, and its quoted passages, from an object or from a bare point."""
    if not isinstance(entry, Mapping):
        return parse_point(entry), []
    points = (parse_point(entry.get(name)) for name in ("point", "shown", "points"))
    point = next((point for point in points if point is not None), None)
    return point, [clean(quote).strip() for quote in passages(entry.get("evidence"))]


def points_in_prose(text: str) -> list[float]:
    """Return the points of a reply that is not JSON, in order.

    The points are those of the rows of a Markdown table, or else those of lines such as "Makes sense: 1/1". Totals
    are left out.
    """
    lines = [line.strip() for line in text.splitlines()]
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if "|" in line]
    in_table = [(row[0], _CELL.match(row[-1])) for row in rows if len(row) > 1]
    labelled = in_table if any(match for _, match in in_table) else [(line, _LINE.search(line)) for line in lines]
    points = [_clipped(float(match[1])) for label, match in labelled if match and not _TOTAL.search(label)]
    return [point for point in points if point is not None]


def _clipped(number: float) -> float | None:
    """Return the number clipped to 0..1, None for NaN, which Python's JSON parser accepts."""
    return float(min(max(number, 0), 1)) if number == number else None
