"""What the rows of a plan share with evaluation sets, for the report."""

from collections import Counter
from typing import NamedTuple

from skillmill.data.export.masking import Mask
from skillmill.data.records import SampleRow, text_of
from skillmill.data.store import ShardStore
from skillmill.filters.contamination.filter import Contamination
from skillmill.filters.contamination.shared_ngrams import COUNT, shared_ngrams


class Overlap(NamedTuple):
    """The number of rows that share an n-gram with a set, and how many of them the contamination filter rejected."""

    evaluation_set: str
    rows: int
    rejected: int


def overlaps(samples: ShardStore, plan: str, options: Contamination) -> list[Overlap]:
    """Return the overlap of a plan's rows with each set of the options, in their order.

    Holds the signals of one shard in memory at a time. Reads no rows if the filter is off or has no sets.
    """
    if not (options.enabled and options.sets):
        return []
    sharing, rejected = Counter[str](), Counter[str]()
    prefix = f"{COUNT}:"
    for table in samples.tables([plan], ["reasons", "signals"]):
        for row in table.to_pylist():
            sets = [name.removeprefix(prefix) for name, _ in row["signals"] if name.startswith(prefix)]
            sharing.update(sets)
            if Contamination.reason in row["reasons"]:
                rejected.update(sets)
    return [Overlap(each.name, sharing[each.name], rejected[each.name]) for each in options.sets]


def shared_lines(row: SampleRow, mask: Mask) -> list[str]:
    """Return a line for each set that the row shares n-grams with.

    The shared words are left out if `mask` changes a text of the row, as they may contain what is masked.
    """
    instruction, response = text_of(row["prompt"]), text_of(row["completion"])
    hide_words = any(mask(text) != text for text in (instruction, response))
    return [
        f"{shared.evaluation_set}: {shared.ngrams} n-grams" + ("" if hide_words else f", “{shared.words}”")
        for shared in shared_ngrams(instruction, response, dict(row["signals"] or []))
    ]
