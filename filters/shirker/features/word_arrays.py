"""Distinct words of many answers as arrays of numbers: numpy counts them much faster than Python counts words.

All arrays describe several answers at once, one answer after the other. In their names, a "row" is the index of an
answer, a "word" is an index in `Tokens.words`, and a "token" is an index in `Tokens.numbers`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skillmill.data.text.tokens import Numbers, Tokens

Floats = NDArray[np.float64]
Columns = dict[str, NDArray[Any]]
"""Features by name, an array (answers,) each."""

FEW_KEYS = 1000
"""Up to this number of keys, Python is faster than a call of Arrow."""


class DistinctWords(NamedTuple):
    """The distinct words of each answer, in order of their first occurrence.

    A word that two answers have is an entry in both.

    Attributes:
        of_token: intp (tokens,); the entry here of each token.
        row: intp (entries,); the answer that the word is in.
        word: intp (entries,); the word.
        times: intp (entries,); how often the answer has the word.
        first: intp (entries,); the token of its first occurrence in the answer.
        last: intp (entries,); the token of its last occurrence in the answer.
    """

    of_token: Numbers
    row: Numbers
    word: Numbers
    times: Numbers
    first: Numbers
    last: Numbers


class SubjectWords(NamedTuple):
    """The distinct words of each answer that are no function words.

    Attributes:
        row: intp (entries,); the answer that the word is in.
        word: intp (entries,); the word.
        times: intp (entries,); how often the answer has the word.
        in_first: bool (entries,); whether the word is in the first half of the answer.
        in_second: bool (entries,); whether the word is in the second half of the answer.
    """

    row: Numbers
    word: Numbers
    times: Numbers
    in_first: NDArray[np.bool_]
    in_second: NDArray[np.bool_]


def distinct_words(tokens: Tokens, row: Numbers) -> DistinctWords:
    """Return the distinct words of each answer; `row`, intp (tokens,), is the answer of each token."""
    if len(tokens.ends) == 1:  # the words of a single text are numbered in this order already
        of_token, count = tokens.numbers, len(tokens.words)
    else:
        of_token, count, _ = number_keys(row * len(tokens.words) + tokens.numbers)
    places = np.arange(len(of_token))
    first, last = np.empty(count, np.intp), np.empty(count, np.intp)
    last[of_token] = places  # of several values for one index, numpy keeps the last one
    first[of_token[::-1]] = places[::-1]
    return DistinctWords(
        of_token, row[first], tokens.numbers[first], np.bincount(of_token, minlength=count), first, last
    )


def subject_words(words: DistinctWords, middles: Numbers, is_subject: NDArray[np.bool_]) -> SubjectWords:
    """Return the words that `is_subject`, bool (entries,), selects.

    `middles`, intp (answers,), is the token at which the second half of each answer begins.
    """
    at = np.flatnonzero(is_subject)
    row, middle = words.row[at], middles[words.row[at]]
    return SubjectWords(row, words.word[at], words.times[at], words.first[at] < middle, words.last[at] >= middle)


def number_keys(keys: Numbers, others: Sequence[int] = ()) -> tuple[Numbers, int, Numbers]:
    """Number the distinct keys in order of first occurrence.

    Returns the number of each key, intp (keys,); the count of distinct keys; and the number of each of the others,
    intp (others,), which is at least the count if no key is equal to it.
    """
    every = np.append(keys, np.asarray(others, np.intp))
    if len(every) <= FEW_KEYS:
        known: dict[int, int] = {}
        numbers = np.array([known.setdefault(key, len(known)) for key in every.tolist()], np.intp)
    else:
        numbers = pa.array(every).dictionary_encode().indices.to_numpy().astype(np.intp)
    of_keys = numbers[: len(keys)]
    return of_keys, int(of_keys.max(initial=-1)) + 1, numbers[len(keys) :]
