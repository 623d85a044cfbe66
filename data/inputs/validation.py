"""Messages for pydantic's validation errors, worded for a person who writes YAML rather than Python."""

from pydantic_core import ErrorDetails

from skillmill.data.inputs.yaml_file import Location


def key_prefix(location: Location) -> str:
    """Return a pydantic location as the start of a message, e.g. `skills[3].name: `; "" for an empty location."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return f"{text}: " if text else ""


def validation_message(error: ErrorDetails) -> str:
    """Return the message of a pydantic error, with "section" and "list" in place of "model", "dict" and "tuple"."""
    if error["type"] in ("model_type", "dict_type"):
        return "expected a section of keys and values"
    if error["type"] == "tuple_type":
        return "expected a list"
    if error["type"] == "too_short":
        return f"expected a list of at least {error['ctx']['min_length']}, got {error['ctx']['actual_length']}"
    if error["type"] == "string_too_long":
        return f"has {len(error['input']):,} characters, expected at most {error['ctx']['max_length']:,}"
    return error["msg"].removeprefix("Value error, ")
