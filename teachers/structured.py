"""JSON schemas for replies, and reading the replies: an engine may ignore the schema."""

import json
import re
from typing import Any

import orjson

from skillmill.data.text.surrogates import without_surrogates
from skillmill.teachers.escapes import restore_backslashes, without_control_characters
from skillmill.teachers.json_slips import read_slips

OBJECT_START = re.compile(r'\{\s*"')
MAX_STARTS = 100
"""Number of possible starts of an object that are tried: 100 KB of opening braces must not delay other requests."""

_QUOTES = ('"', "'", "”")
"""Quotes that show, right after a brace, that it was part of a string."""

MAX_DEPTH = 3
"""The greatest depth at which the required keys are searched in an object."""


def parse_object(text: str, required: tuple[str, ...], *, whole: bool = True) -> dict[str, Any] | None:
    """Return the JSON object in a reply, None if there is none with all `required` keys.

    Text and code fences around the object are ignored. Keys may differ in case, and the object may be the only one
    inside another. An object with slips is read if there is one way to read it (`json_slips`) and the reply is `whole`,
    which one with the finish reason "length" is not. An object that gives a required key twice with different values is
    not read. All strings are clean.
    """
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start or not _ends(text, start, end + 1):
        return None
    try:
        source, _ = without_surrogates(text[start : end + 1])
        found = _fitting(orjson.loads(source), required)
        if any(source.count(f'"{key}"') > 1 for key in required) and _contradicts_itself(source, required):
            return None
    except orjson.JSONDecodeError:
        found = _first_object(text, required) or (_fitting(read_slips(text), required) if whole else None)
    return _cleaned(found) if found is not None else None


def _contradicts_itself(text: str, keys: tuple[str, ...]) -> bool:
    """Return whether an object in a JSON text gives one of the keys twice, with different values."""
    found = False

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        value = dict(pairs)
        found = found or any(key in keys and item != value[key] for key, item in pairs)
        return value

    try:
        json.loads(text, object_pairs_hook=note)
    except (ValueError, RecursionError):
        return False
    return found


def _first_object(text: str, required: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the first readable object with the keys, in a reply that has further braces."""
    decoder = json.JSONDecoder()
    end = 0
    for _ in range(MAX_STARTS):
        opening = OBJECT_START.search(text, end)
        if opening is None:
            break
        try:
            value, end = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):  # int() raises a plain ValueError for a number of 5,000 digits
            end = opening.start() + 1
        else:
            if _ends(text, opening.start(), end) and (found := _fitting(value, required)) is not None:
                return found
    return None


def _ends(text: str, start: int, end: int) -> bool:
    """Return whether an object can end at `end`: no quote follows its brace, unless one is before the object too."""
    return text[end : end + 1] not in _QUOTES or text[max(start - 1, 0)] in _QUOTES


def _fitting(value: Any, required: tuple[str, ...], depth: int = MAX_DEPTH) -> dict[str, Any] | None:
    """Return the object with the required keys: the value, or the only one inside it; None if there is none."""
    if isinstance(value, list):
        return _fitting(value[0], required, depth) if len(value) == 1 and depth else None
    if not isinstance(value, dict):
        return None
    if all(key in value for key in required):
        return dict(value)
    names: dict[str, str] = {_plain(key): key for key in value}
    if len(names) == len(value) and all(key in value or _plain(key) in names for key in required):
        renamed: dict[str, str] = {names[_plain(key)]: key for key in required if key not in value}
        fields: dict[str, Any] = value
        return {renamed.get(key, key): item for key, item in fields.items()}
    if not depth:
        return None
    inner = [found for item in value.values() if (found := _fitting(item, required, depth - 1)) is not None]
    return inner[0] if len(inner) == 1 else None


def _plain(key: str) -> str:
    """Return a key in lower case, without spaces, dashes, underscores and Markdown's marks."""
    return re.sub(r"[\s_*`:-]+", "", key).casefold()


def _cleaned(value: Any) -> Any:
    """Return the value with all its strings clean."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return {_cleaned(key): _cleaned(item) for key, item in value.items()} if isinstance(value, dict) else value


def object_schema(**properties: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON schema for an object with exactly these properties, in this order, all required."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def clean(text: str) -> str:
    """Return the text as files and stores may hold it. Every text of a teacher goes through here.

    Backslashes that JSON's escapes ate are restored, control characters other than newline and tab are replaced
    (`escapes`), NUL is dropped, and a lone surrogate becomes U+FFFD.
    """
    return without_surrogates(without_control_characters(restore_backslashes(text)))[0]
