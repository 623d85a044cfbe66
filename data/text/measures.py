"""Measures of text that several filters share. Nothing here decides anything."""

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import ceil

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
TITLES = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|Jr|Sr|St|vs|etc|approx|e\.g|i\.e)\.", re.IGNORECASE)
TITLE_SIGNS = tuple("mr. mrs. ms. dr. prof. jr. sr. st. vs. etc. approx. e.g. i.e.".split())
"""In lower case: without one of them there is no title, and looking for them is far faster."""
SENTENCE_BREAK = re.compile(
    r"""[.!?…。！？\n](?:"""  # all that can begin a break, in front: far faster than one pattern after the other
    r"""(?<=[.!?…])(?<![.!?…].)[.!?…]*[)\]"'”’*_]{0,4}\s+(?=[(\["'“‘*_]{0,4}[^\W_])"""  # end mark, space, a letter
    r"""|(?<=[。！？])(?<![。！？].)[。！？]*[」』”]{0,4}(?=\S)"""
    r"""|(?<=\n)[ \t]*\n)"""
)
OTHER_BREAK = re.compile(
    r"""(?<![\w.!?…])(\w*)[.!?…]+[)\]"'”’»*_]{0,4}\s+(?=[(\["'“‘«„¿¡*_]{0,4}([^\W\d_]))"""  # word, end, letter
    r"""|[。！？।॥؟۔։]+[」』”]{0,4}(?=\s*\S)"""
    r"""|\n[ \t]*\n"""
)
PUBLISHED_TITLES = re.compile(r"\b(Mr|Mrs|Ms|Dr|Prof)\.(?=\s)")
PUBLISHED_BREAK = re.compile(r"""[.!?]["'”’]*\s+["'“‘]*(?=[A-Z])""")
UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
"""Scripts that put no space between words: Thai, Japanese, Chinese."""
UNSPACED_LETTERS = 2
"""Of such a script, letters a word: about as many as the words of a translation."""
LIST_NUMBER = re.compile(r"^[ \t]*\d{1,3}[.)][ \t]+", re.MULTILINE)
CODE_FENCE = re.compile(r"^[ \t]*(```|~~~)", re.MULTILINE)


@lru_cache(maxsize=32)
def words(text: str) -> tuple[str, ...]:
    """The words in lower case, without punctuation; `don't` and `well-known` are one word each.

    Kept for a while, as are `sentences`: one filter after the other asks for those of the same two texts.
    """
    return tuple(WORD.findall(text.lower().replace("’", "'")))


@lru_cache(maxsize=4)
def sentences(text: str) -> tuple[str, ...]:
    """The sentences of prose, stripped, in order; see `count_sentences` for what ends one."""
    shielded = LIST_NUMBER.sub("", text)
    if may_hold(text.lower(), TITLE_SIGNS):
        shielded = TITLES.sub(lambda match: match.group().replace(".", "\0"), shielded)
    pieces = (piece.replace("\0", ".").strip() for piece in SENTENCE_BREAK.split(shielded))
    return tuple(piece for piece in pieces if WORD.search(piece))


def may_hold(text: str, signs: Iterable[str]) -> bool:
    """Whether a pattern that has one of the signs in all that it finds may find something."""
    for sign in signs:  # noqa: SIM110 - half the time of any()
        if sign in text:
            return True
    return False


def count_words(text: str) -> int:
    """How many words a text has; of scripts that put no space between words, one for every `UNSPACED_LETTERS`."""
    if text.isascii():
        return len(words(text))
    unspaced = len(UNSPACED.findall(text))
    return len(words(UNSPACED.sub(" ", text) if unspaced else text)) + ceil(unspaced / UNSPACED_LETTERS)


def count_sentences(text: str, english: bool = True) -> int:
    """How many sentences a text has; 0 for a text without any character but space, otherwise at least 1.

    As Skill-Mix counts (papers.md 1.5): a full stop, question or exclamation mark, closing quotes, space, and the
    next sentence; semicolons, colons and dashes end none; Mr., Mrs., Ms., Dr., Prof., e.g. and i.e. end none.
    Two deliberate differences. A sentence that begins with a digit or a lower-case letter counts too: the
    reference misses it, so a text could pass its limit by writing in lower case. A blank line ends a sentence.
    The price: "the 3 p.m. train" counts as two, so the count errs on the strict side.

    Not `english`, it errs on the other side: after a number or up to three letters a full stop ends none ("am 3. Mai",
    "z. B. Äpfel"), and the next sentence begins with a letter that is no small one.
    """
    if not english:
        shielded = TITLES.sub("", LIST_NUMBER.sub("", text)).strip()
        return 1 + sum(map(_ends_a_sentence, OTHER_BREAK.finditer(shielded))) if text.strip() else 0
    return max(len(sentences(text)), 1) if text.strip() else 0


def count_published_sentences(text: str) -> int:
    """How many sentences Skill-Mix's own grading counts (papers.md 1.5), for points that are to be compared with it.

    A full stop, question or exclamation mark, quotes, space, and a capital ASCII letter begin the next sentence, and
    nothing else: of prose never more than `count_sentences` finds, but after abbreviations that only that one knows.
    """
    return len(PUBLISHED_BREAK.split(PUBLISHED_TITLES.sub(r"\1", text).strip())) if text.strip() else 0


def _ends_a_sentence(found: re.Match[str]) -> bool:
    before, after = found.groups()
    if after is None:
        return True
    stop = "." not in found.group() or (len(before) > 3 and not before.isdigit())
    return stop and not after.islower()


BETWEEN_WORDS = r"[\s_\-\u2010-\u2015]"
"""What may part the words of a name: space, underscore, hyphens and dashes."""
INVISIBLE = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
"""Soft hyphen, zero-width spaces and joiners, byte order mark: what `str.translate` drops."""


def ngrams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All runs of n neighbouring tokens, in order."""
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def repeated_share(items: Iterable[object]) -> float:
    """The share of items, in 0..1, that had occurred before; 0 for no items."""
    counts = Counter(items)
    total = sum(counts.values())
    return (total - len(counts)) / total if total else 0.0


def covered_share(tokens: Sequence[str], source: Sequence[str], n: int) -> float:
    """The share of `tokens`, in 0..1, that lies in an n-gram which also stands in `source`."""
    known = set(ngrams(source, n))
    covered = [False] * len(tokens)
    for i, gram in enumerate(ngrams(tokens, n)):
        if gram in known:
            covered[i : i + n] = [True] * n
    return sum(covered) / len(tokens) if tokens else 0.0


def compression_ratio(text: str) -> float:
    """Characters in bytes over zlib's bytes: about 1.5 to 2.5 for prose of this length, far more for a loop."""
    raw = text.encode("utf-8", "replace")
    return len(raw) / len(zlib.compress(raw, 6)) if raw else 0.0


def phrase_pattern(phrases: Iterable[str]) -> re.Pattern[str] | None:
    """Any of the phrases as whole words, case aside, any spaces, hyphens or dashes between words, a plural allowed.

    None where no phrase has a letter or digit in it.
    """
    alternatives = []
    for phrase in phrases:
        *parts, last = re.split(rf"{BETWEEN_WORDS}+", phrase.strip(" \t\r\n_-\"'“”")) or [""]
        if WORD.search(phrase):
            alternatives.append(rf"{BETWEEN_WORDS}+".join([*map(re.escape, parts), _or_plural(last)]))
    if not alternatives:
        return None
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(alternatives)})(?![^\W_])", re.IGNORECASE)


def _or_plural(word: str) -> str:
    if word.lower().endswith("y") and len(word) > 2:
        return f"{re.escape(word[:-1])}(?:y|ies|ys)"
    if word.lower().endswith("is") and len(word) > 4:
        return f"{re.escape(word[:-2])}(?:is|es)"
    return re.escape(word) + ("(?:es|s)?" if word[-1:].isalpha() else "")
