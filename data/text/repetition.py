"""Measures of repetition: within a text, and of one text in another."""

import zlib
from collections.abc import Iterable, Sequence


def ngrams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Return all n-grams of the tokens, in order; fewer than n tokens have none."""
    return list(zip(*(tokens[start:] for start in range(n)), strict=False))


def repeated_share(items: Iterable[object]) -> float:
    """Return the share of items, 0..1, that are equal to an earlier item; 0 for no items."""
    every = list(items)
    return (len(every) - len(set(every))) / len(every) if every else 0.0


def covered_share(tokens: Sequence[str], source: Sequence[str], n: int) -> float:
    """Return the share of `tokens`, 0..1, that are in an n-gram which `source` also has; 0 for no tokens."""
    known = set(ngrams(source, n))
    grams = ngrams(tokens, n) if known else []
    if known.isdisjoint(grams):
        return 0.0
    covered = [False] * len(tokens)
    for i, gram in enumerate(grams):
        if gram in known:
            covered[i : i + n] = [True] * n
    return sum(covered) / len(tokens)


def compression_ratio(text: str) -> float:
    """Return the bytes of the text divided by its bytes after zlib compression; 0 for an empty text.

    Prose of the length of an answer has 1.5 to 2.5; a text that repeats itself has far more.
    """
    raw = text.encode("utf-8", "replace")
    return len(raw) / len(zlib.compress(raw, 6)) if raw else 0.0
