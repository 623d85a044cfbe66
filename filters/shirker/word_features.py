"""What the words of answers tell: of many answers at once, on numbers instead of words."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from itertools import count, repeat
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skillmill.data.text.tokens import Numbers, Tokens, tokens_of_all
from skillmill.filters.shirker.instruction_features import FUNCTION_WORDS, Asked
from skillmill.filters.shirker.rarity import stem
from skillmill.filters.shirker.word_vectors import Words, closeness, likeness, word_vectors

Floats = NDArray[np.float64]
Columns = dict[str, NDArray[Any]]
"""The numbers of each answer under the name of the measure."""

KINDS = {
    "function_words": FUNCTION_WORDS,
    "hedges": frozenset(
        "may might could perhaps possibly generally usually often typically probably somewhat various several many "
        "some different certain things something stuff etc overall basically depends likely sometimes".split()
    ),
    "connectives": frozenset(
        "however therefore because although though while whereas since thus hence moreover furthermore additionally "
        "finally first second third then next also instead including example such meanwhile especially particularly "
        "due despite once unless rather consequently ultimately".split()
    ),
    "first_person": frozenset("i me my mine we our us i'm i'd i've".split()),
    "second_person": frozenset("you your yours yourself you'll you're".split()),
    "the": frozenset({"the"}),
    "be": frozenset("is are was were be been".split()),
    "and": frozenset({"and"}),
    "that": frozenset({"that", "which"}),
    "it": frozenset("it this they there".split()),
    "to": frozenset({"to"}),
    "of": frozenset({"of"}),
    "sums_up": frozenset("remember overall conclusion ultimately additionally".split()),
    "leans_back": frozenset(
        "it this that these those they he she him her them its their but and or so also another finally however "
        "therefore then thus additionally furthermore moreover lastly secondly second third next such because "
        "overall".split()
    ),
}
"""Words that are looked for together; a word may be of several kinds. An answer hardly begins with one that leans back
on a sentence before it."""
FUNCTION, LEANING = (list(KINDS).index(name) for name in ("function_words", "leans_back"))
MOST_BEGINNINGS = 50
"""Of a loop of one word with another behind it, every word may begin it anew: so many are looked at."""
FEW_KEYS = 1000
"""So many are numbered sooner in Python than by a call of Arrow's."""
MIX = 0x5851F42D4C957F2D
"""A large odd number: multiplied with it and added to, modulo 2^64, a few small numbers become one."""


class Distinct(NamedTuple):
    """The words of each text, each once, text after text in the order in which they come.

    `of_token`: the place here of each token. The others, one a word: the text it is of, its number in `Tokens.words`,
    how often it comes there, and at which tokens for the first and the last time.
    """

    of_token: Numbers
    row: Numbers
    word: Numbers
    times: Numbers
    first: Numbers
    last: Numbers


class Subject(NamedTuple):
    """The words of each text that carry its subject: all but function words, one a word as in `Distinct`."""

    row: Numbers
    word: Numbers
    times: Numbers
    in_first: NDArray[np.bool_]
    in_second: NDArray[np.bool_]
    """In which half of the text it is; it may be in both."""


def word_columns(requests: Sequence[Asked], texts: Sequence[str]) -> tuple[Columns, Columns]:
    """The measures of `signals.MEASURES` that the words of each answer give: those that are counts, and the others."""
    found, rows = tokens_of_all(texts), len(texts)
    starts = np.concatenate(([0], found.ends[:-1]))
    sizes = found.ends - starts
    row = np.repeat(np.arange(rows), sizes)  # of each token
    words = _distinct(found, row)
    kinds, members = _kinds()
    kind_of_word = np.fromiter(map(kinds.get, found.words, repeat(0)), np.intp, len(found.words))
    kind = kind_of_word[words.word]
    of_kind = np.bincount(words.row * len(members) + kind, words.times, rows * len(members))
    said = (of_kind.reshape(rows, -1) @ members).T
    subject = _subject(words, starts + sizes // 2, kind)
    n, distinct = np.maximum(sizes, 1), np.bincount(words.row, minlength=rows)
    digits, letters = (words.times * _each(of, found.words)[words.word] for of in (str.isdigit, len))
    counts = {"words": sizes, "distinct_words": distinct, "numbers": np.bincount(words.row, digits, rows)}
    shares = {
        **dict(zip(KINDS, said * (100 / n), strict=True)),
        "variety": distinct / np.sqrt(n),
        "once_only": np.bincount(words.row, words.times == 1, rows) / n,
        "word_length": np.bincount(words.row, letters, rows) / n,
        "function_words": said[FUNCTION] / n,
        "leans_back": _leans_back(found, starts, kind_of_word),
        "said_again": _said_again(found, starts, words),
        **_echoes(requests, found, row),
        **_meanings(requests, found, subject),
    }
    subject_counts, subject_shares = _on_subject(requests, found, subject, n)
    return counts | subject_counts, shares | subject_shares


def _each(of: Callable[[str], int], words: Sequence[str]) -> Numbers:
    return np.fromiter(map(of, words), np.intp, len(words))


def _numbered(keys: Numbers, others: Sequence[int] = ()) -> tuple[Numbers, int, Numbers]:
    """Which of the distinct keys each is, in the order in which they come, and how many these are; and which of them
    each of the others is: a number as high or higher is none of them."""
    every = np.append(keys, np.asarray(others, np.intp))
    if len(every) <= FEW_KEYS:
        known: dict[int, int] = {}
        places = np.array([known.setdefault(key, len(known)) for key in every.tolist()], np.intp)
    else:
        places = pa.array(every).dictionary_encode().indices.to_numpy().astype(np.intp)
    of_keys = places[: len(keys)]
    return of_keys, int(of_keys.max(initial=-1)) + 1, places[len(keys) :]


def _distinct(found: Tokens, row: Numbers) -> Distinct:
    of_token, count, _ = _numbered(row * len(found.words) + found.numbers)
    places = np.arange(len(of_token))
    first, last = np.empty(count, np.intp), np.empty(count, np.intp)
    last[of_token] = places  # of several the last one stays
    first[of_token[::-1]] = places[::-1]
    return Distinct(of_token, row[first], found.numbers[first], np.bincount(of_token, minlength=count), first, last)


def _subject(words: Distinct, middles: Numbers, kind: Numbers) -> Subject:
    at = np.flatnonzero(_kinds()[1][kind, FUNCTION] == 0)
    row, middle = words.row[at], middles[words.row[at]]
    return Subject(row, words.word[at], words.times[at], words.first[at] < middle, words.last[at] >= middle)


@cache
def _kinds() -> tuple[dict[str, int], Floats]:
    """A number for each word of `KINDS`, the same for words of the same kinds, and which kinds (columns) each number
    (rows) stands for; 0 for none."""
    of_word = {word: tuple(word in kind for kind in KINDS.values()) for kind in KINDS.values() for word in kind}
    members = [(False,) * len(KINDS), *sorted(set(of_word.values()))]
    return {word: members.index(kinds) for word, kinds in of_word.items()}, np.array(members, np.float64)


def _leans_back(found: Tokens, starts: Numbers, kind_of_word: Numbers) -> Floats:
    leans, begun = np.zeros(len(starts)), np.flatnonzero(starts < found.ends)
    leans[begun] = _kinds()[1][kind_of_word[found.numbers[starts[begun]]], LEANING]
    return leans


def _echoes(requests: Sequence[Asked], found: Tokens, row: Numbers) -> Columns:
    """How much of the instruction's runs of four words an answer has, and how much of its own they are."""
    rows, number = len(requests), dict(zip(found.words, count()))
    sizes = [len(request.words) for request in requests]
    unknown = repeat(len(number))
    asked = np.array([each for request in requests for each in map(number.get, request.words, unknown)], np.intp)
    own, own_row = _fours(found.numbers, row)
    wanted, _ = _fours(asked, np.repeat(np.arange(rows), sizes))
    likely = np.zeros(1 << 16, np.bool_)
    likely[wanted & 0xFFFF] = True  # spares looking up nine of ten
    known, echoed = set(wanted.tolist()), defaultdict[int, set[int]](set)
    at = np.flatnonzero(likely[own & 0xFFFF])
    for key, text in zip(own[at].tolist(), own_row[at].tolist(), strict=True):
        if key in known:
            echoed[text].add(key)
    shares = np.zeros((2, rows))
    for text, keys in echoed.items():
        distinct = np.unique(own[np.searchsorted(own_row, text) : np.searchsorted(own_row, text, "right")])
        shares[:, text] = len(keys) / len(requests[text].four_grams), len(keys) / len(distinct)
    return dict(zip(("instruction_echoed", "echoed_4grams"), shares, strict=True))


def _fours(numbers: Numbers, row: Numbers) -> tuple[Numbers, Numbers]:
    """A key for every run of four words in each text, and the text: keys are alike where run and text are (but for one
    in 2^64 by chance)."""
    keys = numbers[:-3]
    for following in (numbers[1:-2], numbers[2:-1], numbers[3:], row[:-3]):
        keys = keys * MIX + following
    keys ^= keys >> 32
    inside = np.flatnonzero(row[:-3] == row[3:])
    return keys[inside], row[inside]


def _on_subject(requests: Sequence[Asked], found: Tokens, subject: Subject, n: Numbers) -> tuple[Columns, Columns]:
    """Counts and shares: how much of the instruction's subject the answer's words take up, by the stems of both."""
    rows, stems = len(requests), dict[str, int]()
    stem_of_word = np.array([stems.setdefault(one, len(stems)) for one in map(stem, found.words)], np.intp)
    asked = {
        text * len(stems) + stems[one]: rarity
        for text, request in enumerate(requests)
        for one, rarity in request.subject.items()
        if one in stems
    }
    of_subject, distinct, places = _numbered(subject.row * len(stems) + stem_of_word[subject.word], list(asked))
    rarity = np.zeros(distinct + len(asked))
    rarity[places] = list(asked.values())
    rarity, row = rarity[:distinct], np.empty(distinct, np.intp)
    row[of_subject] = subject.row
    stemmed = np.bincount(row, minlength=rows)
    shared, shared_rarity = np.bincount(row, rarity > 0, rows), np.bincount(row, rarity, rows)
    rarest = np.zeros(rows)
    np.maximum.at(rarest, row, rarity)
    wanted = np.array([(len(request.subject), sum(request.subject.values())) for request in requests], np.float64).T
    coverage, rarity_coverage = (
        np.divide(part, whole, out=np.full(rows, 0.5), where=whole > 0)
        for part, whole in zip((shared, shared_rarity), wanted, strict=True)
    )
    both = np.bincount(subject.row, subject.in_first & subject.in_second, rows)
    on_it = np.bincount(subject.row, subject.times * (rarity > 0)[of_subject], rows)
    counts = {
        "subject_words": np.bincount(subject.row, minlength=rows),
        "new_words": stemmed - shared,
        "covered": shared,
        "shared_rarity": shared_rarity,
    }
    shares = {
        "coverage": coverage,
        "from_instruction": shared / np.maximum(stemmed, 1),
        "subject_density": on_it / n,
        "rarity_coverage": rarity_coverage,
        "rarest_shared": rarest,
        "halves_shared": both / np.maximum(np.bincount(subject.row, subject.in_second, rows), 1),
    }
    return counts, shares


def _meanings(requests: Sequence[Asked], found: Tokens, subject: Subject) -> Columns:
    """How near the answer's words come to what was asked about: all together, and one by one."""
    vectors, rows = word_vectors(), len(requests)
    places = vectors.places(found.words)[subject.word]
    known = np.flatnonzero(vectors.weights[places])
    places, row = places[known], subject.row[known]
    weights = vectors.weights[places]
    halves = np.array([subject.in_first[known], subject.in_second[known]]) * weights
    ends = np.cumsum(np.bincount(row, minlength=rows)).tolist()
    sums, near = np.zeros((rows, 3, vectors.directions.shape[1]), np.float32), np.zeros((rows, 2))
    for text, (request, start, end) in enumerate(zip(requests, [0, *ends], ends, strict=False)):
        directions = vectors.directions.take(places[start:end], axis=0)
        sums[text, 0] = request.about.sum
        np.matmul(halves[:, start:end], directions, out=sums[text, 1:])
        near[text] = closeness(request.about, Words(directions, weights[start:end]))
    names = ("subject_met", "words_on_subject", "meaning", "meaning_first_half", "meaning_second_half", "halves_alike")
    return dict(zip(names, (*near.T, *likeness(sums)), strict=True))


def _said_again(found: Tokens, starts: Numbers, words: Distinct) -> Floats:
    shares = np.zeros(len(starts))
    begun = np.flatnonzero(starts < found.ends)
    for text in begun[words.times[words.of_token[starts[begun]]] > 1].tolist():
        shares[text] = said_again(found.of(text).tolist())
    return shares


def said_again(words: Sequence[object]) -> float:
    """Which share of a text, 0..1, only says its beginning again: 1/2 where it is there twice, 3/4 four times.

    A beginning counts that comes again whole, or as far as the text goes.
    """
    n, best, start = len(words), 0, 0
    with suppress(ValueError):  # the first word does not come any more
        for _ in range(min(MOST_BEGINNINGS, n)):
            start = words.index(words[0], start + 1)
            for length in (n - start, min(start, n - start)):
                alike = length > best and words[start + length - 1] == words[length - 1]  # spares most of the slices
                if alike and words[start : start + length] == words[:length]:
                    best = length
    return best / n if n else 0.0
