"""The kept row that a duplicate repeats, and how it is chosen among several."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skillmill.data.reasons import Reason


@dataclass(frozen=True, slots=True)
class DuplicateOf:
    """The kept row that a row repeats, and the similarity of their texts.

    `plan`: the first 8 hex digits of the kept row's plan, as a number. `index`: the index of its cell. `instruction`
    and `response`: the similarity of these texts, 1 if they are equal, else the estimated Jaccard similarity (0..1),
    or the cosine of their embeddings if `reason` is `SEMANTIC_DUPLICATE`.
    """

    plan: int
    index: int
    instruction: float
    response: float
    reason: Reason

    @classmethod
    def of(cls, kept: np.void, similarities: NDArray[np.floating], reason: Reason) -> "DuplicateOf":
        """Return the duplicate of the row with the record `kept`; `similarities`, (2,), are those of its two texts."""
        instruction, response = similarities.tolist()
        return cls(int(kept["plan"]), int(kept["index"]), instruction, response, reason)


def first_similar(
    kept: NDArray[np.void], similarities: NDArray[np.floating], threshold: float, index: int, plan: int
) -> int | None:
    """Return the position in `kept` of the row that a new row repeats, None if it repeats none.

    `kept`, (n,), are records as in `signatures.py`; `similarities`, (n, 2), are those of their instructions and
    responses to the new row's. A row with one of them at `threshold` or above is repeated. Rows of the new row's `plan`
    come first, then those with a lower plan, index and id. Rows of its own cell, with equal `plan` and `index`, are
    ignored.
    """
    same_cell = (kept["plan"] == plan) & (kept["index"] == index)
    hits = np.flatnonzero((similarities >= threshold).any(axis=1) & ~same_cell)
    if not len(hits):
        return None
    rows = kept[hits]
    return int(hits[np.lexsort((rows["id"], rows["index"], rows["plan"], rows["plan"] != plan))[0]])
