"""Schema-constrained replies, read without trust: an engine may ignore the schema."""

import json
import re
from typing import Any

import orjson

OBJECT = re.compile(r'\{\s*"')
TRIES = 100
"""Places at which an object is looked for, at most: 100 KB of opening braces must not hold up the others."""


def parse_object(text: str, required: tuple[str, ...]) -> dict[str, Any] | None:
    """The JSON object in a reply, or None where there is none with all `required` keys.

    Tolerates text and code fences around it.
    """
    start, end = text.find("{"), text.rfind("}")
    try:
        value = orjson.loads(text[start : end + 1].encode("utf-8", "replace"))
    except orjson.JSONDecodeError:
        return _first_object(text, required)
    return value if _fits(value, required) else None


def _first_object(text: str, required: tuple[str, ...]) -> dict[str, Any] | None:
    """For replies with braces beside the object: the first that can be read and has the keys."""
    decoder = json.JSONDecoder()
    end = 0
    for _ in range(TRIES):
        opening = OBJECT.search(text, end)
        if opening is None:
            break
        try:
            value, end = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):  # a number of 5,000 digits is no JSONDecodeError
            end = opening.start() + 1
        else:
            if _fits(value, required):
                found: dict[str, Any] = value
                return found
    return None


def _fits(value: Any, required: tuple[str, ...]) -> bool:
    return isinstance(value, dict) and all(key in value for key in required)


def object_schema(**properties: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema for an object with exactly these properties, in this order, all required."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def clean(text: str) -> str:
    """Text that any store takes: without NUL and lone surrogates, which JSON may escape."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
