"""What the rows of a plan share with the evaluation sets of `filters.contamination`, for the report."""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from skillmill.data.records import text_of
from skillmill.data.store import ShardStore
from skillmill.filters.contamination.filter import Contamination
from skillmill.filters.contamination.shared_ngrams import COUNT, shared_ngrams


class Overlap(NamedTuple):
    """How many rows share a run of `report` words with a set, and how many of them were rejected for shared words."""

    evaluation_set: str
    rows: int
    rejected: int


def overlaps(samples: ShardStore, plan: str, options: Contamination) -> list[Overlap]:
    """A line for each set, in order. Memory is that of one shard's signals; nothing is read where there is no set."""
    if not (options.enabled and options.sets):
        return []
    sharing, rejected = Counter[str](), Counter[str]()
    for table in samples.tables([plan], ["reasons", "signals"]):
        for row in table.to_pylist():
            sets = [name.removeprefix(f"{COUNT}:") for name, _ in row["signals"] if name.startswith(f"{COUNT}:")]
            sharing.update(sets)
            if Contamination.reason in row["reasons"]:
                rejected.update(sets)
    return [Overlap(each.name, sharing[each.name], rejected[each.name]) for each in options.sets]


def shared_lines(row: dict[str, Any], mask: Callable[[str], str]) -> list[str]:
    """What a row shares, a line a set; without the words where `mask` hides something in the row."""
    texts = text_of(row["prompt"]), text_of(row["completion"])
    hidden = any(mask(text) != text for text in texts)
    return [
        f"{run.evaluation_set}: {run.ngrams} n-grams" + ("" if hidden else f", “{run.words}”")
        for run in shared_ngrams(*texts, dict(row["signals"] or []))
    ]
