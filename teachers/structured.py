"""JSON schemas for replies, and reading the replies: an engine may ignore the schema."""

import json
import re
from typing import Any

import orjson

OBJECT_START = re.compile(r'\{\s*"')
MAX_STARTS = 100
"""Number of possible starts of an object that are tried: 100 KB of opening braces must not delay other requests."""


def parse_object(text: str, required: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the JSON object in a reply, None if there is none with all `required` keys.

    Text and code fences around the object are ignored.
    """
    start, end = text.find("{"), text.rfind("}")
    try:
        value = orjson.loads(text[start : end + 1].encode("utf-8", "replace"))
    except orjson.JSONDecodeError:
        return _first_object(text, required)
    return value if _has_keys(value, required) else None


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
            if _has_keys(value, required):
                return dict(value)
    return None


def _has_keys(value: Any, required: tuple[str, ...]) -> bool:
    return isinstance(value, dict) and all(key in value for key in required)


def object_schema(**properties: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON schema for an object with exactly these properties, in this order, all required."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def clean(text: str) -> str:
    """Return the text without NUL and with "?" for lone surrogates: JSON may contain both, files and stores may not."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
