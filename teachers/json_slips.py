r"""Reads JSON objects with the slips that models make, where there is one way to read them.

Slips are trailing commas, raw newlines, single or curly quotes, raw quotes, Python's literals, missing commas, missing
quotes around keys, comments, a reply given twice, and escapes that JSON does not have. An object that was cut off stays
unread: its end would be invented.
"""

import ast
import json
import re
from typing import Any

from skillmill.teachers.json_repairs import ESCAPE, repaired

LONGEST = 8_000
"""The longest object in characters that is repaired. The time of a repair grows with the square of the length."""
MOST_OBJECTS = 40
_PAIR = re.compile(r"(?<!\\)\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_START = re.compile(r"""\{\s*+(?:["'“”]|[A-Za-z_]\w*+\s*+:|//|/\*|\#)""")
"""The beginning of an object, unlike a brace in prose."""
_AFTER = re.compile(r"\s*(?:\Z|\n|```)")
"""What follows a complete object. Other text on its last line shows that the brace was part of a string."""


def read_slips(text: str) -> Any:
    """Return the value of the outermost braces of a text, None if it cannot be read without doubt."""
    start, end = _START.search(text), text.rfind("}") + 1
    source = _once(text[start.start() : end]) if start else ""
    opened = source.count("{")
    if not source or len(source) > LONGEST or opened > MOST_OBJECTS or opened != source.count("}"):
        return None
    if not _AFTER.match(text, end) or "{" in text[end:]:
        return None
    escaped = _PAIR.sub(lambda pair: json.loads(f'"{pair[0]}"'), ESCAPE.sub(_valid_escape, source))
    readers = (lambda: _json_of_lines(escaped), lambda: _python(source), lambda: repaired(escaped, source))
    for read in readers:
        try:
            value = read()
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, IndexError):
            continue
        if isinstance(value, dict) and _has_text_keys(value):
            return value
    return None


def _once(source: str) -> str:
    """Return the first half of a source that is one text twice, with nothing but spaces between."""
    for gap in range(4):
        half = (len(source) - gap) // 2
        if half > 1 and not source[half : half + gap].strip() and source[:half] == source[half + gap :]:
            return source[:half]
    return source


def _json_of_lines(source: str) -> Any:
    """Read JSON whose strings may contain raw newlines and tabs."""
    return json.loads(source, strict=False)


def _python(source: str) -> Any:
    return ast.literal_eval(source) if source.startswith(("{'", "{ '", "{\n")) else None


def _valid_escape(escape: re.Match[str]) -> str:
    r"""Return an escape as it is, with its backslash doubled (`\alpha`, `\beta`), or without it (`\'`).

    Nobody means the backspace or the form feed of `\b` and `\f`.
    """
    if escape[1] and escape[1] not in "bf":
        return escape[0]
    if escape[1]:
        return "\\" + escape[0]
    return escape[2] if escape[2] == "'" else "\\" + escape[0]


def _has_text_keys(value: Any) -> bool:
    """Return whether all keys are strings: in Python's form they can be numbers."""
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(_has_text_keys, value.values()))
    return all(map(_has_text_keys, value)) if isinstance(value, list) else True
