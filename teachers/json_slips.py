r"""Reads JSON objects with the slips that models make, where there is one way to read them.

Slips are trailing commas, raw newlines, single or curly quotes, Python's literals, missing quotes around keys, and
escapes that JSON does not have. An object that was cut off stays unread: its end would be invented.
"""

import ast
import json
import re
from typing import Any

from json_repair import repair_json

LONGEST = 8_000
"""The longest object in characters that is repaired. The time of a repair grows with the square of the length."""
MOST_OBJECTS = 40
_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|(.)|\Z)', re.DOTALL)
_PAIR = re.compile(r"(?<!\\)\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_MARKS = re.compile(r"[\s\x00-\x1f\\\"'“”‘’«»`]+")
_VALUE_ENDS = re.compile(r"(?:[\"'“”‘’»\]}]|:\s*(?:true|false|null|none|[-+.\d]+))\s*,?\s*}\Z", re.IGNORECASE)
"""The end of an object whose last value is complete: a quote, a bracket, a number, or a literal."""


def read_slips(text: str) -> Any:
    """Return the value of the outermost braces of a text, None if it cannot be read without doubt."""
    source = text[text.find("{") : text.rfind("}") + 1]
    opened = source.count("{")
    if not source or len(source) > LONGEST or opened > MOST_OBJECTS or opened != source.count("}"):
        return None
    if not _VALUE_ENDS.search(source):
        return None
    escaped = _PAIR.sub(lambda pair: json.loads(f'"{pair[0]}"'), _ESCAPE.sub(_valid_escape, source))
    for read in (_json_of_lines, _python, _repaired):
        try:
            value = read(source if read is _python else escaped)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, IndexError):
            continue
        if isinstance(value, dict) and _is_in(value, source):
            return value
    return None


def _json_of_lines(source: str) -> Any:
    """Read JSON whose strings may contain raw newlines and tabs."""
    return json.loads(source, strict=False)


def _python(source: str) -> Any:
    return ast.literal_eval(source) if source.startswith(("{'", "{ '", "{\n")) else None


def _repaired(source: str) -> Any:
    return repair_json(source, return_objects=True, skip_json_loads=True, strict=True)


def _valid_escape(escape: re.Match[str]) -> str:
    r"""Return an escape as it is, with its backslash doubled (`\alpha`, `\beta`), or without it (`\'`).

    Nobody means the backspace or the form feed of `\b` and `\f`.
    """
    if escape[1] and escape[1] not in "bf":
        return escape[0]
    if escape[1]:
        return "\\" + escape[0]
    return escape[2] if escape[2] == "'" else "\\" + escape[0]


def _is_in(value: dict[str, Any], source: str) -> bool:
    """Return whether every key and string of the value is in the source, apart from quotes, escapes and spaces."""
    decoded = _ESCAPE.sub(lambda escape: _decoded(escape[1] or "") or (escape[2] or ""), source)
    letters = _letters(decoded)
    return all(_letters(text) in letters for text in _strings(value))


def _letters(text: str) -> str:
    """Return the text without spaces, quotes and escapes, and with pairs of surrogates joined."""
    return _MARKS.sub("", text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _decoded(escape: str) -> str:
    """Return the character of an escape after its backslash, a letter for those of `_valid_escape`, "" for spaces."""
    if escape[:1] == "u":
        return chr(int(escape[1:], 16))
    return escape if escape in ("b", "f") else ""


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (*_strings(key), *_strings(item))]
    return []
