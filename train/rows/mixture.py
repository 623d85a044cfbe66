"""Mix the rows of several sets by shares or counts. The seed decides which rows are taken, and their order."""

from collections.abc import Sequence
from math import floor
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.train.rows.config import Part


def mixed_counts(parts: Sequence[Part], available: Sequence[int], key: str) -> list[int]:
    """Return how many rows of each set are taken, given how many each has.

    Shares give the largest mixture in which no row comes twice. Raises `ConfigError` if a set has fewer rows than its
    `rows` asks for, or if a share comes to no row.
    """
    if any(part.share is not None for part in parts):
        shares = [part.share or 0.0 for part in parts]
        total = min(count / share for count, share in zip(available, shares, strict=True))
        counts = [min(floor(total * share + 0.5), count) for share, count in zip(shares, available, strict=True)]
    else:
        counts = [count if part.rows is None else part.rows for part, count in zip(parts, available, strict=True)]
    for place, (part, count, there) in enumerate(zip(parts, counts, available, strict=True)):
        if count > there:
            raise ConfigError(f"{key}.{place}.rows: expected at most the {there} rows of {part.data}, got {count}")
        if count == 0:
            raise ConfigError(f"{key}.{place}.share: {part.share:g} of the mixture comes to no row of {part.data}")
    return counts


def mix(datasets: Sequence[Any], counts: Sequence[int], seed: int) -> Any:
    """Return `counts` rows of each `datasets.Dataset`, interleaved at random in these proportions."""
    from datasets import interleave_datasets

    taken = [
        rows if count == len(rows) else rows.shuffle(seed=seed).select(range(count))
        for rows, count in zip(datasets, counts, strict=True)
    ]
    if len(taken) == 1:
        return taken[0]
    shares = [count / sum(counts) for count in counts]
    return interleave_datasets(
        taken, probabilities=shares, seed=seed, stopping_strategy="all_exhausted_without_replacement"
    )
