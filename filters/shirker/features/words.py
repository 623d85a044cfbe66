"""Features from the words of answers, for many answers at once: variety, kinds of words, repeated beginnings.

See `word_arrays` for the meaning of "row", "word" and "token" in the names of arrays.
"""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from skillmill.data.text.tokens import Numbers, Tokens, tokens_of_all
from skillmill.filters.shirker.features.instruction import InstructionFeatures
from skillmill.filters.shirker.features.instruction_overlap import (
    echo_features,
    meaning_features,
    subject_features,
)
from skillmill.filters.shirker.features.word_arrays import Columns, DistinctWords, Floats, distinct_words, subject_words
from skillmill.filters.shirker.features.word_facts import combination_table, facts_of
from skillmill.filters.shirker.features.word_kinds import FUNCTION_COLUMN, LEANING_COLUMN, WORD_KINDS

MAX_BEGINNINGS = 50
"""The number of occurrences of the first word that are examined as a repeated beginning. A text that repeats one word
could otherwise take quadratic time."""


def word_features(instructions: Sequence[InstructionFeatures], texts: Sequence[str]) -> tuple[Columns, Columns]:
    """Return the features that the words of answers give: counts, and shares.

    Each is a dictionary from a name to an array (answers,). A feature "log_x" of `answer_features.ANSWER_FEATURES` is
    made from the count "x"; shares are final values.
    """
    tokens, rows = tokens_of_all(texts), len(texts)
    starts = np.concatenate(([0], tokens.ends[:-1]))  # (answers,): the first token of each answer
    sizes = tokens.ends - starts  # (answers,): the number of tokens
    row = np.repeat(np.arange(rows), sizes)  # (tokens,): the answer of each token
    words = distinct_words(tokens, row)

    facts, counted = facts_of(tokens.words), combination_table()
    combination = facts.combination[words.word]  # (entries of `words`,)
    of_combination = np.bincount(words.row * len(counted) + combination, words.times, rows * len(counted))
    times = (of_combination.reshape(rows, -1) @ counted).T  # (COUNTED, answers): how many tokens are of each kind
    numbers, unknown, foreign = times[len(WORD_KINDS) :]
    subject = subject_words(words, starts + sizes // 2, counted[combination, FUNCTION_COLUMN] == 0)

    n, distinct = np.maximum(sizes, 1), np.bincount(words.row, minlength=rows)
    letters = np.bincount(words.row, words.times * facts.letters[words.word], rows)
    counts = {"words": sizes, "distinct_words": distinct, "numbers": numbers}
    shares = {
        **dict(zip(WORD_KINDS, times * (100 / n), strict=False)),
        "variety": distinct / np.sqrt(n),
        "once_only": np.bincount(words.row, words.times == 1, rows) / n,
        "word_length": letters / n,
        "function_words": times[FUNCTION_COLUMN] / n,
        "unknown_words": unknown / n,
        "foreign_words": foreign / n,
        "leans_back": _leans_back(tokens, starts, facts.combination),
        "said_again": _repeated_beginnings(tokens, starts, words),
        **echo_features(instructions, tokens),
        **meaning_features(instructions, facts.vector, subject),
    }
    subject_counts, subject_shares = subject_features(instructions, tokens, subject, n)
    return counts | subject_counts, shares | subject_shares


def _leans_back(tokens: Tokens, starts: Numbers, combinations: Numbers) -> Floats:
    """Return 1 for each answer whose first word refers to an earlier sentence, otherwise 0; float64 (answers,)."""
    leans, not_empty = np.zeros(len(starts)), np.flatnonzero(starts < tokens.ends)
    leans[not_empty] = combination_table()[combinations[tokens.numbers[starts[not_empty]]], LEANING_COLUMN]
    return leans


def _repeated_beginnings(tokens: Tokens, starts: Numbers, words: DistinctWords) -> Floats:
    """Return `repeated_beginning` of each answer, float64 (answers,)."""
    shares = np.zeros(len(starts))
    not_empty = np.flatnonzero(starts < tokens.ends)
    first_word_again = words.times[words.of_token[starts[not_empty]]] > 1
    for row in not_empty[first_word_again].tolist():
        shares[row] = repeated_beginning(tokens.of(row).tolist())
    return shares


def repeated_beginning(words: Sequence[object]) -> float:
    """Return the share of a text, 0..1, that only repeats its beginning: 1/2 for a text twice, 3/4 for four times.

    A beginning is repeated if it occurs again whole, or up to the end of the text.
    """
    n, best, start = len(words), 0, 0
    with suppress(ValueError):  # raised by `index` after the last occurrence of the first word
        for _ in range(min(MAX_BEGINNINGS, n)):
            start = words.index(words[0], start + 1)
            for length in (n - start, min(start, n - start)):
                # The comparison of the last words avoids most of the slices.
                may_be_equal = length > best and words[start + length - 1] == words[length - 1]
                if may_be_equal and words[start : start + length] == words[:length]:
                    best = length
    return best / n if n else 0.0
