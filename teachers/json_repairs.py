"""Repairs of JSON objects by `json_repair`, as far as they lose and invent nothing.

The library reads what neither JSON's nor Python's own parser reads. It also closes what was cut off, ends a text at a
quote inside it, and drops what it does not understand. So its value counts only if it has all text of the object, in
the form and under the keys of the object, and if the last text has its own two quotes. docs/teachers.md has the
measurement.
"""

import re
from collections.abc import Iterator
from typing import Any

ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|(.)|\Z)', re.DOTALL)
"""A backslash with what follows it: group 1 is an escape of JSON, group 2 another character."""
_MARKS = re.compile(r"[\s\x00-\x1f\\\"'“”‘’«»]+")
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_DELIMITER = re.compile(r"[\"'“]")
_DELIMITERS = {'"': '"', "'": "'\"", "“": "\"'“”‘’«»"}
"""For the first quote of an object, the quotes that `json_repair` may take for the ends of its strings."""
_HIDDEN = 0xE000
"""The first character that takes the place of a quote, in Unicode's private use area."""
_COMMENT = re.compile(r"(?:(?<=[{}\[\],])\s*|(?<=[\"'”\w])[ \t]+)(?://|#)[^\n]*(?=\n)|/\*.*?\*/", re.DOTALL)
_LITERAL = re.compile(r"true|false|null|none|-?\d[\d.e+-]*+", re.IGNORECASE)
_BETWEEN = re.compile(r"[{}\[\]:,;0]*+")
"""What an object has besides its keys and strings, with "0" for each literal."""
_OPENING = re.compile(r"[}\]]*+[:,;]?[{\[]*+")
"""What is between a string and an empty one after it."""
_BEFORE_KEY = r"""(?:[{"'”’\]}]|:\s{0,9}(?:true|false|null|None|True|False|-?\d[\d.]{0,20}))\s{0,9}[,;]?\s{0,9}"""
"""What is before a key without quotes: the brace of its object, or the end of a value."""
_COMMA = re.compile(r'(?<=["0}\]])[,;](?=["0{\[])|[,;](?=[}\]])')
"""A comma between two items or after the last one, or what stands for it."""
_JOINED = re.compile(r'(?<!\\)"\s*\+\s*"')
"""Strings that are joined as in a program."""
_IN_DOUBT = re.compile(
    r"""^(?:true|false|null|none|-?[\d.]+)[;,]\Z|["']\w+["']\s*:|["']\s*,?\s*\w+\s*:\s*(?:["']|\Z)""", re.IGNORECASE
)
"""A literal that `json_repair` takes for a text because of the mark after it, and a text that has a key."""


def repaired(escaped: str, source: str) -> dict[str, Any] | None:
    """Return the value of an object, None if a text in it is lost, changed or in doubt.

    `source` is the object, `escaped` the same with the escapes of JSON only. Raises what `json_repair` raises: mostly
    `ValueError`.
    """
    value = _repaired(escaped)
    return _with_own_end(value, source) if isinstance(value, dict) and _is_whole(value, source) else None


def _repaired(source: str) -> Any:
    """Read by `json_repair`, with the quotes that are not the object's own replaced while it reads.

    It takes all quotes for ends of strings, and a backslash before a quote for an escape even if it is escaped itself.
    """
    from json_repair import repair_json

    own = _DELIMITER.search(source)
    if own is None or '\\\\"' in source:
        return None
    others = [quote for quote in "\"'“”‘’«»" if quote not in _DELIMITERS[own[0]]]
    hidden = {ord(quote): chr(_HIDDEN + place) for place, quote in enumerate(others)}
    shown = {_HIDDEN + place: quote for place, quote in enumerate(others)}
    return _translated(
        repair_json(source.translate(hidden), return_objects=True, skip_json_loads=True, strict=True), shown
    )


def _translated(value: Any, table: dict[int, str]) -> Any:
    """Return the value with all its keys and strings translated."""
    if isinstance(value, str):
        return value.translate(table)
    if isinstance(value, list):
        return [_translated(item, table) for item in value]
    if isinstance(value, dict):
        return {key.translate(table): _translated(item, table) for key, item in value.items()}
    return value


def _is_whole(value: dict[str, Any], source: str) -> bool:
    """Return whether the value has all text of the source, in its order and form, and ends where the source ends."""
    decoded = ESCAPE.sub(lambda escape: _decoded(escape[1] or "") or (escape[2] or ""), _COMMENT.sub("", source))
    letters, place, outline = _letters(decoded), 0, ""
    for text, is_key in _texts(value):
        part = _letters(text)
        opening = None if part else _OPENING.match(letters, place)
        found = letters.find(part, opening.end() if opening else place)
        between = _LITERAL.sub("0", letters[place:found])
        if found < 0 or not _BETWEEN.fullmatch(between) or _IN_DOUBT.search(text):
            return False
        if is_key and not _has_key(source, text):
            return False
        outline += f'{between}""'
        place = found + len(part)
    outline += _LITERAL.sub("0", letters[place:])
    return _COMMA.sub("", outline) == _outline(value) and not _JOINED.search(source)


def _has_key(source: str, key: str) -> bool:
    """Return whether the source has the key in quotes, or without quotes where a key can begin."""
    name = re.escape(key)
    quoted = rf"""(?:"{name}"|'{name}'|“{name}”|‘{name}’)\s*:"""
    return bool(re.search(rf"{quoted}|{_BEFORE_KEY}{name}\s*:", source))


def _outline(value: Any) -> str:
    """Return the braces, brackets and colons of a value, with "" for each string and 0 for each literal."""
    if isinstance(value, dict):
        return "{" + "".join(f'"":{_outline(item)}' for item in value.values()) + "}"
    if isinstance(value, list):
        return "[" + "".join(map(_outline, value)) + "]"
    return '""' if isinstance(value, str) else "0"


def _with_own_end(value: dict[str, Any], source: str) -> dict[str, Any] | None:
    """Return the value if its last item, where it is a string, has its own two quotes in the source; None otherwise.

    The last quote is removed from a text that kept it, as `json_repair` lets texts with apostrophes between two "'".
    """
    key = next(reversed(value), "")
    if not isinstance(text := value.get(key), str):
        return value
    begins = [match.end() for match in re.finditer(rf"{re.escape(key)}[\"'“”‘’]?\s*:\s*", source)]
    last = _COMMENT.sub("", source[begins[-1] : -1]).rstrip(" \t\r\n,") if begins else ""
    escapes = len(last[:-1]) - len(last[:-1].rstrip("\\"))
    if len(last) < 2 or _QUOTES.get(last[0]) != last[-1] or escapes % 2:
        return None
    has_quote = text.endswith(last[-1]) and last[-2] != last[-1]
    return {**value, key: text[:-1]} if has_quote else value


def _letters(text: str) -> str:
    """Return the text without spaces, quotes and escapes, and with pairs of surrogates joined."""
    return _MARKS.sub("", text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _decoded(escape: str) -> str:
    """Return the character of an escape after its backslash, a letter for those of `_valid_escape`, "" for spaces."""
    if escape[:1] == "u":
        return chr(int(escape[1:], 16))
    return escape if escape in ("b", "f") else ""


def _texts(value: Any) -> Iterator[tuple[str, bool]]:
    """Yield all keys and strings of a value in their order, and whether each is a key."""
    if isinstance(value, str):
        yield value, False
    for item in value if isinstance(value, list) else ():
        yield from _texts(item)
    for key, item in value.items() if isinstance(value, dict) else ():
        yield key, True
        yield from _texts(item)
