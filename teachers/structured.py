"""Schema-constrained replies, read without trust: an engine may ignore the schema."""

import json
from typing import Any

import orjson


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
    start = text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError):
            end = start + 1
        else:
            if _fits(value, required):
                found: dict[str, Any] = value
                return found
        start = text.find("{", end)
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
