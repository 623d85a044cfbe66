"""Parsers of teacher replies. All are pure functions that accept any text and raise nothing."""

import re

from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.teachers.chat_tokens import without_outer_tokens
from skillmill.teachers.structured import parse_object

_LINE_START = r"^[ \t#*_>-]{0,12}"
ANSWER = lazy_pattern(
    _LINE_START + r"(?:(?:final|revised|improved) )?(?:answer|text)[*_]{0,3}[ \t]?:[ \t]?[*_]{0,3}",
    re.IGNORECASE | re.MULTILINE,
)
EXPLANATION = lazy_pattern(
    rf"(?:{_LINE_START}|(?<=[.!?\"”*]) )[*_]{{0,3}}explanation[*_]{{0,3}}[ \t]?:[ \t]?[*_]{{0,3}}",
    re.IGNORECASE | re.MULTILINE,
)
QUOTES = {'"': '"', "“": "”", "«": "»", "'": "'", "‘": "’"}


def answer_and_explanation(text: str, whole: bool = True) -> tuple[str | None, str | None]:
    """Return the answer and the explanation in a reply of Skill-Mix; each is None if it is missing or empty.

    The fields `answer` and `explanation` of a JSON object take precedence. A reply without them is read by its marks,
    as in the code of Skill-Mix (arXiv 2310.17567): the answer is the text after the last "Answer:" up to the first
    "Explanation:" after it, the explanation is the text after that. JSON with slips is read if the reply is `whole`.
    """
    json_answer = string_field(text, "answer", whole)
    if json_answer:
        return unquoted(json_answer) or None, string_field(text, "explanation", whole)
    answer_marks = list(ANSWER.finditer(text))
    if not answer_marks:
        return None, None
    rest = text[answer_marks[-1].end() :]
    explanation_mark = EXPLANATION.search(rest)
    answer = unquoted(rest[: explanation_mark.start()] if explanation_mark else rest)
    explanation = rest[explanation_mark.end() :].strip() if explanation_mark else ""
    return answer or None, explanation or None


def instruction_parts(text: str, keys: list[str], whole: bool = True) -> list[str]:
    """Return the strings under `keys` in a reply, without quotes; [] if any is missing or empty.

    The keys are those of a JSON object, or headings if the reply is `whole`: "**Instruction:** …", "## Instruction".
    JSON with slips is read if it is `whole`.
    """
    parts = [unquoted(string_field(text, key, whole) or "") for key in keys]
    if whole and not any(parts):
        parts = [unquoted(value) for value in _under_headings(text, keys)]
    return parts if all(parts) else []


def _under_headings(text: str, keys: list[str]) -> list[str]:
    """Return the texts under the headings `keys`; [] unless each heading is there once, in this order.

    A text ends at the next heading, or at a label of what models add ("Explanation:").
    """
    if "{" in text[:20]:
        return []
    heads = []
    for key in keys:
        name = r"[\s_-]+".join(map(re.escape, re.split(r"[\s_-]+", key.strip())))
        found = list(re.finditer(rf"^[ \t]*{_heading(name)}", text, re.IGNORECASE | re.MULTILINE))
        if len(found) != 1:
            return []
        heads += found
    ends = [*(head.start() for head in heads[1:]), len(text)]
    if any(head.end() > end for head, end in zip(heads, ends, strict=True)):
        return []
    bodies = [text[head.end() : end] for head, end in zip(heads, ends, strict=True)]
    return [_ADDED.split(body, maxsplit=1)[0].strip() for body in bodies]


def _heading(name: str) -> str:
    """Return a pattern for a heading in Markdown, bold print, or words with a colon."""
    return (
        rf"(?:#{{1,6}}[ \t]*[*_]{{0,2}}{name}[*_]{{0,2}}[ \t]*:?[ \t]*(?:[*_]{{2}}[ \t]*)?(?=\n|(?<=:)|(?<=: ))"
        rf"|[*_]{{2}}[\"“]?{name}[\"”]?[ \t]*(?::[ \t]*[*_]{{2}}|[*_]{{2}}[ \t]*(?::|(?=\n)))"
        rf"|[\"“]?{name}[\"”]?[ \t]*:(?!\S*//))[ \t]*"
    )


_ADDED = lazy_pattern(
    r"^[ \t]*" + _heading(r"(?:explanation|rationale|skills?(?: used)?|query type|notes?|reasoning|response|answer)"),
    re.IGNORECASE | re.MULTILINE,
)
"""A heading of what models add after the requested parts."""


def strengths_and_weaknesses(text: str) -> tuple[str, str]:
    """Return both fields of a critique, "" for a missing one.

    A critique that has neither field counts as weaknesses as a whole, so that the refinement still sees it.
    """
    strengths, weaknesses = string_field(text, "strengths"), string_field(text, "weaknesses")
    return (strengths or "", weaknesses or "") if strengths or weaknesses else ("", text.strip())


def string_field(text: str, key: str, whole: bool = True) -> str | None:
    """Return the string under `key` of the JSON object in a reply, stripped; None if it is missing or blank.

    An object with slips is read if the reply is `whole`.
    """
    found = parse_object(text, (key,), whole=whole)
    value = found[key] if found else None
    return without_outer_tokens(value).strip() or None if isinstance(value, str) else None


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
