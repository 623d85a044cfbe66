"""What is measured in an answer: some ninety plain numbers, none of which decides anything."""

from collections.abc import Sequence

import numpy as np

from skillmill.filters.shirker.instruction_features import Asked
from skillmill.filters.shirker.text_features import COUNTS, text_counts
from skillmill.filters.shirker.word_features import Columns, Floats, word_columns

READ_CHARACTERS = 16_000
"""About 2,500 words; of a longer answer the head and the end are read, so that no text takes long."""
TOGETHER = 512
"""Answers that are measured at once: their numbers fit into a core's cache."""

MEASURES = (
    "log_words",
    "log_sentences",
    "log_lines",
    "log_sentence_words",
    "sentence_spread",
    "log_distinct_words",
    "variety",
    "once_only",
    "word_length",
    "function_words",
    "log_subject_words",
    "log_new_words",
    "repeated_openings",
    "coverage",
    "log_covered",
    "from_instruction",
    "echoed_4grams",
    "subject_density",
    "numbers",
    "log_numbers",
    "names",
    "log_names",
    "commas",
    "log_colons",
    "colons",
    "log_semicolons",
    "log_parentheses",
    "log_quotes",
    "log_dashes",
    "log_hyphens",
    "log_exclamations",
    "log_questions",
    "apostrophes",
    "full_stops",
    "log_bold",
    "log_headings",
    "code_block",
    "log_items",
    "items_per_line",
    "log_paragraphs",
    "log_words_per_line",
    "hedges",
    "connectives",
    "first_person",
    "second_person",
    "the",
    "be",
    "and",
    "that",
    "it",
    "to",
    "of",
    "declines",
    "log_blanks",
    "log_form_labels",
    "stock_opening",
    "stock_closing",
    "sums_up",
    "says_brief",
    "ends_whole",
    "starts_lower",
    "no_capitals",
    "missing_items",
    "missing_code",
    "not_ascii",
    "log_item_words",
    "log_last_line",
    "one_line",
    "lower_sentences",
    "rarity_coverage",
    "log_shared_rarity",
    "rarest_shared",
    "brief_as_asked",
    "meaning",
    "meaning_first_half",
    "meaning_second_half",
    "halves_alike",
    "instruction_echoed",
    "repeated_sentences",
    "halves_shared",
    "stops_midway",
    "ends_unlike_rest",
    "said_again",
    "log_inline_items",
    "leans_back",
    "subject_met",
    "words_on_subject",
)
"""The names of the numbers of `measures`, in order. "log" is log(1 + count); the rest are shares or per 100 words."""


LOG = "log_"
LOGARITHMS = np.array([name.startswith(LOG) for name in MEASURES])


def measures(requests: Sequence[Asked], responses: Sequence[str]) -> Floats:
    """A row of the numbers named by `MEASURES` for each answer. Takes any text; the empty one too."""
    starts = range(0, len(responses), TOGETHER)
    parts = [_measures(requests[start : start + TOGETHER], responses[start : start + TOGETHER]) for start in starts]
    return np.vstack(parts) if parts else np.empty((0, len(MEASURES)))


def _measures(requests: Sequence[Asked], responses: Sequence[str]) -> Floats:
    texts = [_read(response.strip()) for response in responses]
    said, shares = word_columns(requests, texts)
    counted = [text_counts(text, digits > 0) for text, digits in zip(texts, said["numbers"].tolist(), strict=True)]
    counts = said | dict(zip(COUNTS, np.array(counted, np.float64).T, strict=True))
    counts["words_per_line"] = np.maximum(counts["words"], 1) / counts["lines"]
    shares |= _per_words_and_lines(counts) | _as_asked(requests, counts)
    shares["sums_up"] = np.maximum(shares["sums_up"] > 0, counts["notes"])
    columns = [counts[name.removeprefix(LOG)] if name not in shares else shares[name] for name in MEASURES]
    found = np.array(columns, np.float64).T
    found[:, LOGARITHMS] = np.log1p(found[:, LOGARITHMS])
    return found


def _read(text: str) -> str:
    return text if len(text) <= READ_CHARACTERS else f"{text[: READ_CHARACTERS - 1000]}\n{text[-1000:]}"


def _per_words_and_lines(counts: Columns) -> Columns:
    hundred = 100 / np.maximum(counts["words"], 1)
    return {
        **{name: hundred * counts[name] for name in ("names", "commas", "colons", "apostrophes", "full_stops")},
        "numbers": np.log1p(hundred * counts["numbers"]),
        "items_per_line": counts["items"] / counts["lines"],
    }


def _as_asked(requests: Sequence[Asked], counts: Columns) -> Columns:
    """Is there what the instruction asks for: as many items, code, as few words?"""
    asked = [(each.promised, each.wants_code, each.wants_brief, *each.usual_words) for each in requests]
    promised, wants_code, wants_brief, fewest, most = np.array(asked, np.float64).T
    words = counts["words"]
    unlisted = np.maximum(counts["commas"] + 1, np.maximum(counts["lines"], counts["sentences"]))
    missing = 1 - np.where(counts["items"] > 0, counts["items"], unlisted) / np.maximum(promised, 1)
    answers = (counts["declines"] == 0) & (counts["blanks"] == 0) & (words > 0)
    return {
        "missing_items": np.maximum(0, missing) * (promised > 0),
        "missing_code": wants_code * (counts["code_block"] == 0) * (counts["parentheses"] == 0),
        "says_brief": counts["shortens"] * (wants_brief == 0),
        "brief_as_asked": answers & (fewest <= words) & (words <= most),
    }
