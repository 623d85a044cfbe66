"""Measures of repetition: within a text, and of one text in another."""

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence


def ngrams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Return all n-grams of the tokens, in order; fewer than n tokens have none."""
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def repeated_share(items: Iterable[object]) -> float:
    """Return the share of items, 0..1, that are equal to an earlier item; 0 for no items."""
    counts = Counter(items)
    total = sum(counts.values())
    return (total - len(counts)) / total if total else 0.0


def covered_share(tokens: Sequence[str], source: Sequence[str], n: int) -> float:
    """Return the share of `tokens`, 0..1, that are in an n-gram which `source` also has; 0 for no tokens."""
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
