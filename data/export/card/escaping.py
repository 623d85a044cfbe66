"""Any text as one line of a dataset card: without control characters, and as Markdown that shows it as it is."""

import re

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Control characters, characters that change the direction of the text around them, and those that XML forbids."""

_ENTITIES = {ord(character): f"&#{ord(character)};" for character in "\\`*[]|~#$!@^=+"} | {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
}
"""References in place of the characters that begin Markdown or HTML: a reference never does."""
_OUTER_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
"""An underscore that can begin or end emphasis. One between letters cannot."""


def plain_line(text: object) -> str:
    """Return any value as one line of text. White space becomes one space, control characters become U+FFFD."""
    return _UNSAFE.sub("\ufffd", " ".join(str(text).split()))


def table_cell(text: object) -> str:
    """Return any value as Markdown, for a table cell or a heading, that shows it and holds no links or HTML."""
    line = plain_line(text).translate(_ENTITIES)
    line = _OUTER_UNDERSCORE.sub("&#95;", line)
    return line.replace("://", ":&#47;&#47;").replace("www.", "www&#46;")
