"""Statistics of the preference pairs of one source: kept and dropped pairs, lengths, margins.

They show whether a source would teach a length: DPO on pairs whose chosen side is always longer rewards length itself.
"""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from skillmill.data.records import PairRow


class PairStatistics(TypedDict):
    """`PairCounts` as JSON values. Medians, and lengths in words; None if no pair was kept.

    `dropped`: pairs by `PairReason`. `ratio`: median of chosen length over rejected length. `chosen_longer`: share of
    the pairs, from 0 to 1, whose chosen side has more words.
    """

    pairs: int
    dropped: dict[str, int]
    chosen_words: float | None
    rejected_words: float | None
    ratio: float | None
    chosen_longer: float | None
    margin: float | None


@dataclass
class PairCounts:
    """The pairs of one source: lengths in words and margins of the kept ones, counts by reason of the dropped ones.

    A kept pair takes 16 bytes.
    """

    chosen: "array[int]" = field(default_factory=lambda: array("I"))
    rejected: "array[int]" = field(default_factory=lambda: array("I"))
    margins: "array[float]" = field(default_factory=lambda: array("d"))
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def pairs(self) -> int:
        """The number of kept pairs."""
        return len(self.chosen)

    def add(self, pair: PairRow) -> None:
        """Count one pair."""
        if pair["reason"] is not None:
            self.dropped[pair["reason"]] += 1
            return
        chosen, rejected = pair["chosen_words"], pair["rejected_words"]
        assert chosen is not None and rejected is not None  # only a dropped pair has no lengths
        self.chosen.append(chosen)
        self.rejected.append(rejected)
        if pair["margin"] is not None:
            self.margins.append(pair["margin"])

    def as_dict(self) -> PairStatistics:
        """Return the statistics of the pairs counted so far."""
        chosen, rejected = np.array(self.chosen, np.int64), np.array(self.rejected, np.int64)
        return {
            "pairs": self.pairs,
            "dropped": dict(sorted(self.dropped.items())),
            "chosen_words": _median(chosen),
            "rejected_words": _median(rejected),
            "ratio": _median(chosen / np.maximum(rejected, 1)),
            "chosen_longer": float(np.mean(chosen > rejected)) if self.pairs else None,
            "margin": _median(np.array(self.margins, np.float64)),
        }


def count_pairs(pairs: Iterable[PairRow], counts: dict[str, PairCounts]) -> None:
    """Add pairs to the counts of their sources. Reads the columns `rejected_source`, `reason`, `margin` and lengths."""
    for pair in pairs:
        counts.setdefault(pair["rejected_source"], PairCounts()).add(pair)


def _median(values: NDArray[Any]) -> float | None:
    return round(float(np.median(values)), 4) if len(values) else None
