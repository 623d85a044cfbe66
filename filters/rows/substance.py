"""Does the answer answer? Refusals, loops and echoes."""

import re

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.phrases import contains_any
from skillmill.data.text.repetition import compression_ratio, covered_share, ngrams, repeated_share
from skillmill.data.text.sentences import sentences
from skillmill.data.text.words import words
from skillmill.filters.config import Echo, Refusal, Repetition
from skillmill.filters.verdict import Verdict, verdict
from skillmill.skill_taxonomy.cells import Cell

REFUSAL = re.compile(
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
EVEN_SO = re.compile(
    r"^[^.!?\n]{0,80}[,.;]? ?(?:but|however,?|still,?) (?:here|i(?: can| will|['’]ll| am happy))", re.IGNORECASE
)
"""After "I cannot …": the answer comes all the same."""

PLACEHOLDER = re.compile(r"\[insert\b[^\]\n]{0,60}\](?!\()|<insert\b[^>\n]{0,60}>|\blorem ipsum\b", re.IGNORECASE)
BLANK = re.compile(r"\[(?:your|enter|add|name|describe|fill|specify|topic|skill)\b[^\]\n]{0,60}\](?!\()", re.IGNORECASE)
"""Blanks that a template or a letter may rightly have, but no question does."""
BLANK_SIGNS = ("[", "<", "lorem")
"""In lower case: one of them is in all that the two find."""

CODE_OR_TABLE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1|\Z)|^[ \t]*\|[^\n]*$", re.MULTILINE | re.DOTALL)
"""A fenced block, or a line of a table."""


def refusal(sample: Sample, cell: Cell, options: Refusal) -> Verdict:
    """An answer that opens by declining. A later "I cannot" may belong to a character or a caveat."""
    opening = sample.response[: options.within_characters]
    found = REFUSAL.search(opening)
    declines = found is not None and not EVEN_SO.match(sample.response[found.end() : found.end() + 200])
    return verdict(Reason.REFUSAL, declines)


def repetition(sample: Sample, cell: Cell, options: Repetition) -> Verdict:
    """A loop: the same runs of words, sentences or openings, or text that zips too well.

    Code and tables repeat by nature and are left out.
    """
    prose = CODE_OR_TABLE.sub("\n", sample.response)
    tokens = words(prose)
    said = [" ".join(words(sentence)) for sentence in sentences(prose)]
    said = [sentence for sentence in said if sentence.count(" ") >= 2]
    openings = [tuple(sentence.split()[:3]) for sentence in said]
    grams = repeated_share(ngrams(tokens, 4))
    repeated = repeated_share(said)
    opened = repeated_share(openings) if len(openings) >= 4 else 0.0
    ratio = compression_ratio(" ".join(prose.split()))
    rejected = repeated > options.max_repeated_sentences
    if len(tokens) >= options.min_words / 2:  # fifteen words with a run of seven twice: no figure of speech
        rejected = rejected or grams > options.max_repeated_4grams
    if len(tokens) >= options.min_words:
        rejected = rejected or opened > options.max_repeated_openings or ratio > options.max_compression
    return verdict(
        Reason.REPETITION,
        rejected,
        repeated_4grams=grams,
        repeated_sentences=repeated,
        repeated_openings=opened,
        compression=ratio,
    )


def echo(sample: Sample, cell: Cell, options: Echo) -> Verdict:
    """The answer gives the instruction back, or leaves a form's blanks ("[insert name]") for the reader to fill."""
    overlap = covered_share(words(sample.response), words(sample.instruction), 8)
    blanks = _blanks(PLACEHOLDER, sample.response)
    blanks += _blanks(PLACEHOLDER, sample.instruction) + _blanks(BLANK, sample.instruction)
    rejected = overlap > options.max_answer_from_instruction or blanks > options.max_placeholders
    return verdict(Reason.ECHO, rejected, instruction_overlap=overlap, placeholders=blanks)


def _blanks(pattern: re.Pattern[str], text: str) -> int:
    return len(pattern.findall(text)) if contains_any(text.lower(), BLANK_SIGNS) else 0
