"""What a reply holds. Pure functions that take any text and raise nothing."""

import re

from skillmill.teachers.structured import clean, parse_object

_LINE_START = r"^[ \t#*_>-]{0,12}"
ANSWER = re.compile(
    _LINE_START + r"(?:(?:final|revised|improved) )?(?:answer|text)[*_]{0,3}[ \t]?:[ \t]?[*_]{0,3}",
    re.IGNORECASE | re.MULTILINE,
)
EXPLANATION = re.compile(
    rf"(?:{_LINE_START}|(?<=[.!?\"”*]) )[*_]{{0,3}}explanation[*_]{{0,3}}[ \t]?:[ \t]?[*_]{{0,3}}",
    re.IGNORECASE | re.MULTILINE,
)
QUOTES = {'"': '"', "“": "”", "«": "»", "'": "'", "‘": "’"}


def answer_and_explanation(text: str) -> tuple[str | None, str | None]:
    """`answer` and `explanation` of the JSON object in a reply; else, as Skill-Mix has it (papers.md 1.4), the text
    after the last "Answer:" up to the first "Explanation:" after it, and what follows that.

    None for an answer that is not there; an explanation may be missing.
    """
    stated = string_field(text, "answer")
    if stated:
        return unquoted(stated) or None, string_field(text, "explanation")
    starts = list(ANSWER.finditer(text))
    if not starts:
        return None, None
    rest = text[starts[-1].end() :]
    mark = EXPLANATION.search(rest)
    answer = unquoted(rest[: mark.start()] if mark else rest)
    explanation = rest[mark.end() :].strip() if mark else ""
    return answer or None, explanation or None


def string_field(text: str, key: str) -> str | None:
    """A string out of the JSON object in a reply, stripped; None where there is none or it is blank."""
    found = parse_object(text, (key,))
    value = found[key] if found else None
    return clean(value).strip() or None if isinstance(value, str) else None  # JSON may escape lone surrogates


def is_true(text: str, key: str) -> bool:
    """Whether the JSON object in a reply says `true` under `key`."""
    found = parse_object(text, (key,))
    return found is not None and found[key] is True


def unquoted(text: str) -> str:
    """Without one pair of quotes or emphasis marks around the whole."""
    text = text.strip().removeprefix("**").removesuffix("**").strip()
    if len(text) >= 2 and QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1] and text[-1] not in text[1:-1]:
        return text[1:-1].strip()
    return text
