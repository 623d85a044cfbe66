"""Features of an answer: 87 numbers from its words, its text and its comparison with the instruction."""

from collections.abc import Sequence

import numpy as np

from skillmill.filters.shirker.features.instruction import InstructionFeatures
from skillmill.filters.shirker.features.short_answers import is_cut_off, short_answer
from skillmill.filters.shirker.features.text import ENDS, TEXT_FEATURES, text_features
from skillmill.filters.shirker.features.word_arrays import Columns, Floats
from skillmill.filters.shirker.features.word_forms import stray_marks
from skillmill.filters.shirker.features.words import word_features

READ_CHARACTERS = 16_000
"""About 2,500 words. Of a longer answer only the beginning and the end are read, so that the time is bounded."""
ROWS_AT_ONCE = 512
"""Answers whose features are computed together: their arrays fit into the cache of a CPU core."""

ANSWER_FEATURES = (
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
    "unknown_words",
    "foreign_words",
    "log_stray_marks",
    "half_word",
    "broken_short",
    "short_of_form",
    "beyond_form",
)
"""The names of the columns of `answer_features`, in order.

"log_x" is log(1 + count of x); the others are shares, means, counts per 100 words, or 1 and 0 for yes and no.
"""
LOG = "log_"
IS_LOGARITHM = np.array([name.startswith(LOG) for name in ANSWER_FEATURES])


def answer_features(instructions: Sequence[InstructionFeatures], responses: Sequence[str]) -> Floats:
    """Return the features named by `ANSWER_FEATURES`, float64 (answers, features). Answers may be empty."""
    starts = range(0, len(responses), ROWS_AT_ONCE)
    parts = [
        _features(instructions[start : start + ROWS_AT_ONCE], responses[start : start + ROWS_AT_ONCE])
        for start in starts
    ]
    return np.vstack(parts) if parts else np.empty((0, len(ANSWER_FEATURES)))


def _features(instructions: Sequence[InstructionFeatures], responses: Sequence[str]) -> Floats:
    texts = [_shortened(response.strip()) for response in responses]
    word_counts, shares = word_features(instructions, texts)
    of_texts = [
        text_features(text, numbers > 0) for text, numbers in zip(texts, word_counts["numbers"].tolist(), strict=True)
    ]
    counts = word_counts | dict(zip(TEXT_FEATURES, np.array(of_texts, np.float64).T, strict=True))
    counts["words_per_line"] = np.maximum(counts["words"], 1) / counts["lines"]
    shares |= _per_words_and_lines(counts) | _as_requested(instructions, counts)
    short = [
        short_answer(instruction, text, declines)
        for instruction, text, declines in zip(instructions, texts, (counts["declines"] > 0).tolist(), strict=True)
    ]
    shares["brief_as_asked"], shares["broken_short"] = np.array(short, np.float64).reshape(-1, 2).T
    counts["stray_marks"] = np.array(list(map(stray_marks, texts)), np.float64)
    shares["half_word"] = _cut_off(instructions, texts)
    shares["sums_up"] = np.maximum(shares["sums_up"] > 0, counts["notes"])
    columns = [shares[name] if name in shares else counts[name.removeprefix(LOG)] for name in ANSWER_FEATURES]
    features = np.array(columns, np.float64).T
    features[:, IS_LOGARITHM] = np.log1p(features[:, IS_LOGARITHM])
    return features


def _cut_off(instructions: Sequence[InstructionFeatures], texts: Sequence[str]) -> Floats:
    """Return 1 for each answer that ends in the middle of a word or phrase, otherwise 0; float64 (answers,)."""
    return np.array(
        [
            float(text[-1:] not in ENDS and is_cut_off(text, frozenset(instruction.tokens)))
            for instruction, text in zip(instructions, texts, strict=True)
        ]
    )


def _shortened(text: str) -> str:
    return text if len(text) <= READ_CHARACTERS else f"{text[: READ_CHARACTERS - 1000]}\n{text[-1000:]}"


def _per_words_and_lines(counts: Columns) -> Columns:
    """Return counts per 100 words and per line."""
    hundred = 100 / np.maximum(counts["words"], 1)
    return {
        **{name: hundred * counts[name] for name in ("names", "commas", "colons", "apostrophes", "full_stops")},
        "numbers": np.log1p(hundred * counts["numbers"]),
        "items_per_line": counts["items"] / counts["lines"],
    }


def _as_requested(instructions: Sequence[InstructionFeatures], counts: Columns) -> Columns:
    """Return the features that say whether the answer has the items, the code and the length that were requested."""
    requested = [
        (each.requested_items, each.wants_code, each.wants_brief, each.form.fewest, each.form.most)
        for each in instructions
    ]
    items, wants_code, wants_brief, fewest, most = np.array(requested, np.float64).T
    words = counts["words"]
    unlisted = np.maximum(counts["commas"] + 1, np.maximum(counts["lines"], counts["sentences"]))
    missing = 1 - np.where(counts["items"] > 0, counts["items"], unlisted) / np.maximum(items, 1)
    return {
        "missing_items": np.maximum(0, missing) * (items > 0),
        "missing_code": wants_code * (counts["code_block"] == 0) * (counts["parentheses"] == 0),
        "says_brief": counts["shortens"] * (wants_brief == 0),
        "short_of_form": np.log1p(np.maximum(fewest - words, 0)),
        "beyond_form": np.log1p(np.maximum(words - most, 0)) * (most > 0),
    }
