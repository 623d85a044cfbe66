"""Features from the words of answers, for many answers at once: variety, kinds of words, repeated beginnings.

See `word_arrays` for the meaning of "row", "word" and "token" in the names of arrays.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import repeat

import numpy as np

from skillmill.data.text.tokens import Numbers, Tokens, tokens_of_all
from skillmill.filters.shirker.features.instruction import InstructionFeatures
from skillmill.filters.shirker.features.instruction_overlap import (
    echo_features,
    meaning_features,
    subject_features,
)
from skillmill.filters.shirker.features.word_arrays import Columns, DistinctWords, Floats, distinct_words, subject_words
from skillmill.filters.shirker.features.word_forms import words_of_forms
from skillmill.filters.shirker.features.word_kinds import FUNCTION_COLUMN, LEANING_COLUMN, WORD_KINDS, kind_table

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

    kind_numbers, kinds = kind_table()
    kind_of_word = np.fromiter(map(kind_numbers.get, tokens.words, repeat(0)), np.intp, len(tokens.words))
    kind = kind_of_word[words.word]  # (entries of `words`,): the combination of kinds
    of_combination = np.bincount(words.row * len(kinds) + kind, words.times, rows * len(kinds))
    of_kind = (of_combination.reshape(rows, -1) @ kinds).T  # (kinds, answers): how many tokens are of each kind
    subject = subject_words(words, starts + sizes // 2, kinds[kind, FUNCTION_COLUMN] == 0)

    n, distinct = np.maximum(sizes, 1), np.bincount(words.row, minlength=rows)
    digits, letters = (words.times * _of_each(measure, tokens.words)[words.word] for measure in (str.isdigit, len))
    unknown, foreign = (
        np.bincount(words.row, words.times * of_form[words.word], rows) / n for of_form in words_of_forms(tokens.words)
    )
    counts = {"words": sizes, "distinct_words": distinct, "numbers": np.bincount(words.row, digits, rows)}
    shares = {
        **dict(zip(WORD_KINDS, of_kind * (100 / n), strict=True)),
        "variety": distinct / np.sqrt(n),
        "once_only": np.bincount(words.row, words.times == 1, rows) / n,
        "word_length": np.bincount(words.row, letters, rows) / n,
        "function_words": of_kind[FUNCTION_COLUMN] / n,
        "unknown_words": unknown,
        "foreign_words": foreign,
        "leans_back": _leans_back(tokens, starts, kind_of_word),
        "said_again": _repeated_beginnings(tokens, starts, words),
        **echo_features(instructions, tokens),
        **meaning_features(instructions, tokens, subject),
    }
    subject_counts, subject_shares = subject_features(instructions, tokens, subject, n)
    return counts | subject_counts, shares | subject_shares


def _of_each(measure: Callable[[str], int], words: Sequence[str]) -> Numbers:
    return np.fromiter(map(measure, words), np.intp, len(words))


def _leans_back(tokens: Tokens, starts: Numbers, kind_of_word: Numbers) -> Floats:
    """Return 1 for each answer whose first word refers to an earlier sentence, otherwise 0; float64 (answers,)."""
    leans, not_empty = np.zeros(len(starts)), np.flatnonzero(starts < tokens.ends)
    leans[not_empty] = kind_table()[1][kind_of_word[tokens.numbers[starts[not_empty]]], LEANING_COLUMN]
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
