"""Rejects answers in which the assistant declines the request.

The words of a refusal also stand in letters, scenes and role-plays that were requested, where a character declines. So
the instruction decides what counts as a refusal:

- If the instruction requests no text: any statement that the assistant cannot or will not answer.
- If it requests a text: a statement about the assistant itself or about writing the text, and in a short answer also
  "I can't help with that".
- If it requests a text in which somebody declines, or if the answer begins as a letter or a script: only a statement
  about the assistant itself or about writing the text.

Quoted speech is removed first, unless the whole answer is one quotation. A short answer may also decline in weaker
words ("I'd rather not"), which are an opinion in a long answer.
"""

import re

from pydantic import Field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.phrases import SignSearch
from skillmill.filters.options import RowFilter
from skillmill.filters.rows import refusal_phrases as phrases
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell

SHORT = 400
"""The most characters of a short answer. A refusal without an answer is rarely longer."""
LONG = 800
"""The fewest characters of an answer that may announce itself some sentences after a refusal."""

REFUSAL = lazy_pattern(
    r"\b(?:i(?:['’]m| am) (?:very |really |so |truly )?(?:sorry|afraid)\b[^.!?\n]{0,50}"
    r"\b(?:can(?:not|['’]t)|unable|not able|won['’]t)"
    r"|(?<!note that )i (?:can(?:not|['’]t)|won['’]t|am (?:unable|not able) to|['’]m (?:unable|not able) to) "
    r"(?:help|assist|provide|answer|write|create|give|fulfil|fulfill|do that|comply|complete|generate|discuss|offer)"
    r"|i(?:['’]m| am) (?:unable|not able|not allowed|not permitted) to\b"
    r"|as an? (?:ai|artificial intelligence|(?:large )?language model)\b[^.!?\n]{0,80}"
    r"\b(?:can(?:not|['’]t)|unable|not able)"
    r"|i (?:must|have to) (?:respectfully )?(?:decline|refuse)"
    r"|(?:it is|it['’]s|that is) against my (?:policy|guidelines|programming))",
    re.IGNORECASE,
)
"""The core of the refusals in English. It is also a feature of the shirker model, so a change needs a new model."""
EVEN_SO = lazy_pattern(
    r"^[^.!?\n]{0,80}[,.;]? ?(?:but|however,?|still,?) (?:here|i(?: can| will|['’]ll| am happy))", re.IGNORECASE
)
"""Text after a refusal that announces an answer nevertheless."""


class Refusal(RowFilter):
    """Rejects an answer that declines near its beginning. A later "I cannot" may be a quotation or a caveat."""

    reason = Reason("refusal", "the answer declines instead of answering")

    within_characters: int = Field(200, ge=1)
    """The number of characters at the beginning of the answer that are searched."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict, without signals."""
        return self.verdict(declines(sample.instruction, sample.response, self.within_characters))


def declines(instruction: str, response: str, within_characters: int) -> bool:
    """Return whether the assistant declines the instruction in the first characters of the response."""
    response = _unquoted(_straight(response).strip(_MARKUP))
    head = _QUOTATION.sub("…", response[:within_characters])
    if not _SIGNS.found(head.lower()):
        return False
    return any(
        _is_own(match) and not _answers_nevertheless(response, match)
        for pattern in _patterns(_straight(instruction), response)
        for match in pattern.finditer(head)
    )


def _patterns(instruction: str, response: str) -> list[re.Pattern[str]]:
    """Return the patterns of the refusals that count for this instruction."""
    is_short = len(response) <= SHORT
    is_about_machine = phrases.MACHINE.search(instruction) or phrases.ABOUT_YOU.search(instruction)
    lack = [phrases.LACK] if is_short and not is_about_machine else []
    begins_as_text = phrases.TEXT_BEGINS.match(response) is not None
    if not begins_as_text and not phrases.REQUESTS_TEXT.search(instruction):
        weak = [phrases.WEAK] if is_short else []
        return [REFUSAL, phrases.STRONG, phrases.OTHER_LANGUAGES, *weak, *lack]
    patterns = [phrases.ABOUT_WRITING, *([] if is_about_machine else [phrases.IDENTITY])]
    if begins_as_text or phrases.SOMEBODY_DECLINES.search(instruction):
        return patterns
    return [*patterns, *([phrases.DIRECT, phrases.OTHER_LANGUAGES, *lack] if is_short else [])]


def _unquoted(text: str) -> str:
    """Return the text without the quotation marks around the whole of it, if there are any."""
    inner = text[1:-1]
    return inner.strip() if text[:1] == text[-1:] == '"' and '"' not in inner else text


def _is_own(match: re.Match[str]) -> bool:
    """Return whether the assistant declines; in "I'm sorry that your dog can't sleep" it does not."""
    apology = phrases.APOLOGY.match(match.group())
    return apology is None or phrases.OWN_SUBJECT.search(match.group()[apology.end() :]) is not None


def _answers_nevertheless(response: str, match: re.Match[str]) -> bool:
    """Return whether the words after the match turn it into praise, or announce an answer to this request."""
    rest = response[match.end() : match.end() + 200]
    if phrases.NO_REFUSAL.match(rest):
        return True
    announces = (
        EVEN_SO.match(rest)
        or (match.re in (phrases.WEAK, phrases.LACK) and phrases.CONTRAST.match(rest))
        or (len(response) > LONG and phrases.LATER.match(rest))
    )
    return bool(announces) and not phrases.OFFERS_OTHER.match(rest)


def _straight(text: str) -> str:
    """Return the text with straight quotation marks and apostrophes."""
    for curled, straight in _STRAIGHT if not text.isascii() else ():
        text = text.replace(curled, straight)
    return text


_SIGNS = SignSearch({"refusal": phrases.SIGNS})
_STRAIGHT = (*((mark, "'") for mark in "’‘ʼ"), *((mark, '"') for mark in "“”„«»"))
_MARKUP = " \t\r\n*_#>"
_QUOTATION = lazy_pattern(r"\"[^\"\n]{0,2000}(?:\"|$)")
"""Quoted speech, also if the searched part of the answer ends inside it."""
