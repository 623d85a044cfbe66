"""What is known of a source's preference pairs: how many, how long their sides are, why others were dropped.

DPO on padded or clipped answers teaches length: the numbers say what a source would teach.
"""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

COUNTED = ["row", "rejected_source", "margin", "chosen_words", "rejected_words", "reason"]
"""What the counts need of `PAIR_SCHEMA`."""


@dataclass
class PairCounts:
    """One source. Lengths in words and margins of the kept pairs, 16 bytes a pair; `dropped` by `PairReason`."""

    chosen: "array[int]" = field(default_factory=lambda: array("I"))
    rejected: "array[int]" = field(default_factory=lambda: array("I"))
    margins: "array[float]" = field(default_factory=lambda: array("d"))
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def pairs(self) -> int:
        return len(self.chosen)

    def add(self, pair: dict[str, Any]) -> None:
        if pair["reason"] is not None:
            self.dropped[pair["reason"]] += 1
            return
        self.chosen.append(pair["chosen_words"])
        self.rejected.append(pair["rejected_words"])
        if pair["margin"] is not None:
            self.margins.append(pair["margin"])

    def as_dict(self) -> dict[str, Any]:
        """`pairs`; `dropped` by reason; medians of the words of both sides, of their ratio (chosen over rejected) and
        of the margin; `chosen_longer`, the share of pairs whose chosen side has more words. None without pairs."""
        sides = list(zip(self.chosen, self.rejected, strict=True))
        longer = sum(chosen > rejected for chosen, rejected in sides) / len(sides) if sides else None
        return {
            "pairs": self.pairs,
            "dropped": dict(sorted(self.dropped.items())),
            "chosen_words": _median(self.chosen),
            "rejected_words": _median(self.rejected),
            "ratio": _median(chosen / max(rejected, 1) for chosen, rejected in sides),
            "chosen_longer": longer,
            "margin": _median(self.margins),
        }


def count_pairs(pairs: Iterable[dict[str, Any]], counts: dict[str, PairCounts]) -> None:
    """Add rows that have the columns `COUNTED` to the counts of their sources."""
    for pair in pairs:
        counts.setdefault(pair["rejected_source"], PairCounts()).add(pair)


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return round(float(median(known)), 4) if known else None
