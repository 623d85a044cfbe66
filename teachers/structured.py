"""Schema-constrained replies, read without trust: an engine may ignore the schema."""

from typing import Any

import orjson


def parse_object(text: str, required: tuple[str, ...]) -> dict[str, Any] | None:
    """The JSON object in a reply, or None where there is none with all `required` keys.

    Tolerates text and code fences around the outermost braces.
    """
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return None
    try:
        value = orjson.loads(text[start : end + 1].encode("utf-8", "replace"))
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict) or any(key not in value for key in required):
        return None
    return value


def object_schema(**properties: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema for an object with exactly these properties, in this order, all required."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
