"""Does the answer answer? Refusals, loops, echoes and the traces of a revision."""

import re

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.config import CritiqueResidue, Echo, Refusal, Repetition
from skillmill.filters.text import (
    compression_ratio,
    covered_share,
    ngrams,
    repeated_share,
    sentences,
    words,
)
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

RESIDUE = re.compile(
    r"\b(?:refined|revised|improved|rewritten|updated|reworked|polished|enhanced|shortened) (?:and \w+ |, \w+ )?"
    r"(?:response|answer|version|draft|reply|instruction|text)\b"
    r"|\b(?:complete|full) and concise\b"
    r"|\b(?:based on|incorporat\w+|address\w*|thank(?:s| you) for|given) (?:\w+ )?(?:your|the|this|that) (?:\w+ )?"
    r"(?:feedback|critique|criticism)\b"
    r"|\blength constraint\b"
    r"|\bstrengths and weaknesses of (?:the|my|this|your) (?:\w+ )?(?:response|answer|draft|text)\b"
    r"|\b(?:the|my|this|your) (?:previous|first|earlier|original|initial|last) "
    r"(?:response|answer|draft|version|attempt)\b"
    r"|\ba (?:more|less|better) (?:\w+ )?(?:answer|response) (?:could|would|might|is)\b"
    r"|\b(?:the|this) answer is (?:too|not (?:quite|very))\b"
    r"|\b(?:the|this|my|your) (?:response|draft)(?: above)? "
    r"(?:is|was|could|should|lacks|does|shows|provides|uses|has)\b",
    re.IGNORECASE,
)
EDITING = re.compile(
    r"\b(?:re-?writ\w*|re-?word\w*|re-?phras\w*|revis\w*|edit\w*|correct\w*|improv\w*|proofread\w*|grammar\w*|"
    r"polish\w*|shorten\w*|feedback|critique|draft\w*|version\w*|update\w*|weaknesses)\b",
    re.IGNORECASE,
)
"""An instruction that asks for a revision may be answered with "here is a revised version"."""
MARKER = re.compile(
    r"^[ \t#*_>]{0,12}(?:instruction|response|strengths?|weakness(?:es)?|critique|(?:your )?notes)[ \t*_]{0,4}:",
    re.IGNORECASE | re.MULTILINE,
)
"""The labels of critique and refinement, this project's and the paper's, at the head of a line."""
OWN_NOTES = re.compile(r"^[ \t#*_>]{0,12}a reader (?:liked|missed) this[a-z ]{0,20}:", re.IGNORECASE | re.MULTILINE)
"""The labels of the notes that a short answer is refined from: nobody else writes them, so any place counts."""

PLACEHOLDER = re.compile(r"\[insert\b[^\]\n]{0,60}\](?!\()|<insert\b[^>\n]{0,60}>|\blorem ipsum\b", re.IGNORECASE)
BLANK = re.compile(r"\[(?:your|enter|add|name|describe|fill|specify|topic|skill)\b[^\]\n]{0,60}\](?!\()", re.IGNORECASE)
"""Blanks that a template or a letter may rightly have, but no question does."""

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
    if len(tokens) >= options.min_words:
        rejected = (
            rejected
            or grams > options.max_repeated_4grams
            or opened > options.max_repeated_openings
            or ratio > options.max_compression
        )
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
    blanks = len(PLACEHOLDER.findall(sample.response))
    blanks += len(PLACEHOLDER.findall(sample.instruction)) + len(BLANK.findall(sample.instruction))
    rejected = overlap > options.max_answer_from_instruction or blanks > options.max_placeholders
    return verdict(Reason.ECHO, rejected, instruction_overlap=overlap, placeholders=blanks)


def critique_residue(sample: Sample, cell: Cell, options: CritiqueResidue) -> Verdict:
    """The answer opens with talk about its own revision, or keeps the labels of a form (papers.md 3.6)."""
    opening = sample.response[: options.within_characters]
    asked_for = EDITING.search(sample.instruction) is not None
    found = MARKER.search(opening) or OWN_NOTES.search(sample.response)
    found = found or (None if asked_for else RESIDUE.search(opening))
    return verdict(Reason.CRITIQUE_RESIDUE, found is not None)
