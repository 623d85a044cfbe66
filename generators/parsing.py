"""Parsers of teacher replies. All are pure functions that accept any text and raise nothing."""

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
    """Return the answer and the explanation in a reply of Skill-Mix; each is None if it is missing or empty.

    The fields `answer` and `explanation` of a JSON object take precedence. A reply without them is read by its marks,
    as in the code of Skill-Mix (arXiv 2310.17567): the answer is the text after the last "Answer:" up to the first
    "Explanation:" after it, the explanation is the text after that.
    """
    json_answer = string_field(text, "answer")
    if json_answer:
        return unquoted(json_answer) or None, string_field(text, "explanation")
    answer_marks = list(ANSWER.finditer(text))
    if not answer_marks:
        return None, None
    rest = text[answer_marks[-1].end() :]
    explanation_mark = EXPLANATION.search(rest)
    answer = unquoted(rest[: explanation_mark.start()] if explanation_mark else rest)
    explanation = rest[explanation_mark.end() :].strip() if explanation_mark else ""
    return answer or None, explanation or None


def instruction_parts(text: str, keys: list[str]) -> list[str]:
    """Return the strings under `keys` in the JSON object of a reply, without quotes; [] if any is missing or empty."""
    parts = [unquoted(string_field(text, key) or "") for key in keys]
    return parts if all(parts) else []


def strengths_and_weaknesses(text: str) -> tuple[str, str]:
    """Return both fields of a critique, "" for a missing one.

    A critique that has neither field counts as weaknesses as a whole, so that the refinement still sees it.
    """
    strengths, weaknesses = string_field(text, "strengths"), string_field(text, "weaknesses")
    return (strengths or "", weaknesses or "") if strengths or weaknesses else ("", text.strip())


def string_field(text: str, key: str) -> str | None:
    """Return the string under `key` of the JSON object in a reply, stripped; None if it is missing or blank."""
    found = parse_object(text, (key,))
    value = found[key] if found else None
    return clean(value).strip() or None if isinstance(value, str) else None  # JSON may escape lone surrogates


def is_true(text: str, key: str) -> bool:
    """Return whether the JSON object in a reply has the value `true` under `key`."""
    found = parse_object(text, (key,))
    return found is not None and found[key] is True


def unquoted(text: str) -> str:
    """Return the text stripped and without one pair of quotes or bold marks that encloses all of it."""
    text = text.strip().removeprefix("**").removesuffix("**").strip()
    if len(text) >= 2 and QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1] and text[-1] not in text[1:-1]:
        return text[1:-1].strip()
    return text
