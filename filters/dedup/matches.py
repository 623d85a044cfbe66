"""The kept row that a row repeats."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skillmill.data.reasons import Reason


@dataclass(frozen=True, slots=True)
class Match:
    """The kept row that a row repeats, and how near their texts are: 1 for equal ones, else the Jaccard similarity,
    or with `SEMANTIC_DUPLICATE` the cosine of their embeddings.

    `plan`: the first 8 hex digits of the kept row's, as a number.
    """

    plan: int
    index: int
    instruction: float
    response: float
    reason: Reason

    @classmethod
    def of(cls, kept: Any, near: np.ndarray, reason: Reason) -> "Match":
        """Of the record of the kept row, and how `near` its two texts are."""
        instruction, response = near.tolist()
        return cls(int(kept["plan"]), int(kept["index"]), instruction, response, reason)


def first_near(kept: np.ndarray, near: np.ndarray, threshold: float, index: int, plan: int) -> int | None:
    """The place of the first of the `kept` records (n) of which a text is as `near` (n, 2) as `threshold` to a row.

    That of the row's own `plan` comes before others, then the lower index. Rows of its own cell do not count.
    """
    same_cell = (kept["plan"] == plan) & (kept["index"] == index)
    hits = np.flatnonzero((near >= threshold).any(axis=1) & ~same_cell)
    if not len(hits):
        return None
    found = kept[hits]
    return int(hits[np.lexsort((found["id"], found["index"], found["plan"], found["plan"] != plan))[0]])
