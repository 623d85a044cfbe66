"""Measures of repetition: within a text, and of one text in another."""

import zlib
from collections.abc import Iterable, Iterator, Sequence


def ngrams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Return all n-grams of the tokens, in order; fewer than n tokens have none."""
    return list(zip(*(tokens[start:] for start in range(n)), strict=False))


def spaced_ngrams(tokens: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    """Return n-grams of half the length at such distances that every n-gram of the tokens contains one of them.

    If two texts share an n-gram, one of these of the first text is among all n-grams of half the length of the second.
    They are a fifth as many for n = 8, so that texts which share nothing are told apart quickly.
    """
    half = (n + 1) // 2
    return zip(*(tokens[start :: n - half + 1] for start in range(half)), strict=False)


def repeated_share(items: Iterable[object]) -> float:
    """Return the share of items, 0..1, that are equal to an earlier item; 0 for no items."""
    every = list(items)
    return (len(every) - len(set(every))) / len(every) if every else 0.0


def covered_share(tokens: Sequence[str], source: Sequence[str], n: int) -> float:
    """Return the share of `tokens`, 0..1, that are in an n-gram which `source` also has; 0 for no tokens."""
    if len(source) < n or set(ngrams(source, (n + 1) // 2)).isdisjoint(spaced_ngrams(tokens, n)):
        return 0.0
    known = set(ngrams(source, n))
    covered = [False] * len(tokens)
    for i, gram in enumerate(ngrams(tokens, n)):
        if gram in known:
            covered[i : i + n] = [True] * n
    return sum(covered) / len(tokens) if tokens else 0.0


def compression_ratio(text: str) -> float:
    """Return the bytes of the text divided by its bytes after zlib compression; 0 for an empty text.

    Prose of the length of an answer has 1.5 to 2.5; a text that repeats itself has far more.
    """
    raw = text.encode("utf-8", "replace")
    return len(raw) / len(zlib.compress(raw, 6)) if raw else 0.0
