"""Read JSON that a server should not have sent: lone surrogates, invalid UTF-8, NaN, raw control characters."""

import json
from typing import Any

import orjson


def read_json(content: bytes) -> Any:
    """Return the value of a JSON text; NaN and infinities become None.

    A lone surrogate, or a byte that is no UTF-8, becomes a surrogate character in the string, as Python has them.
    Raises `ValueError` if the text is not JSON even so.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        text = content.decode("utf-8-sig", "surrogateescape")
    try:
        return json.loads(text, strict=False, parse_constant=lambda _: None)
    except RecursionError:
        raise ValueError("the JSON text is nested too deeply") from None
