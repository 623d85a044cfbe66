"""Lone surrogates, which JSON can hold and UTF-8 cannot, are replaced."""

import re

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def without_surrogates(text: str) -> tuple[str, int]:
    """Return the text with U+FFFD for each lone surrogate, and how many there were."""
    return (text, 0) if text.isascii() else _LONE_SURROGATE.subn("\ufffd", text)
