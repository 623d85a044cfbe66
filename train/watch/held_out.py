"""The fixed rows on which a training is measured before, during and after it.

They are rows of the split `validation` of the export, or else a share of the rows that is set aside and not trained on.
A set with too few rows to set one aside is measured on some rows that it trains on. The rows of a prompt stay together,
so that no prompt is on both sides, and they depend on the prompts alone, so that every training on a dataset sets the
same rows aside.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
import xxhash

MOST_ROWS = 32
"""The most rows that a training is measured on. They cost about as much as 10 rows of training each time."""
FEWEST_ROWS = 20
"""The fewest rows of a set of which some are set aside."""
MOST_TRAINED_ON = 4
"""The most rows of a smaller set that it is measured on. All of them would cost more than the steps of its training."""

Origin = str
VALIDATION, SET_ASIDE, TRAINED_ON = "validation rows", "rows set aside", "rows that are trained on too"


@dataclass(frozen=True)
class HeldOut:
    """The rows to train on, and those to measure on, each a `datasets.Dataset`; `measured` is None without any.

    `origin`: one of `VALIDATION`, `SET_ASIDE` and `TRAINED_ON`.
    """

    trained: Any
    measured: Any | None
    origin: Origin


def hold_out(rows: Any, validation: Any | None, share: float) -> HeldOut:
    """Split `rows` into rows to train on and rows to measure on. A `share` of 0 measures nothing.

    `validation`: rows that the export holds out, None if there are none. The first rows of an `IterableDataset` are set
    aside, because it has no length.
    """
    if not share:
        return HeldOut(rows, None, SET_ASIDE)
    if validation is not None:
        return HeldOut(rows, _first(validation), VALIDATION)
    if not hasattr(rows, "__len__"):
        return HeldOut(rows.skip(MOST_ROWS), as_dataset(rows.take(MOST_ROWS)), SET_ASIDE)
    order = _in_order_of_their_prompts(rows)
    if len(rows) < FEWEST_ROWS:
        return HeldOut(rows, rows.select(sorted(index for _, index in order[:MOST_TRAINED_ON])), TRAINED_ON)
    wanted = min(MOST_ROWS, max(2, round(share * len(rows))))
    last = order[wanted - 1][0]
    aside = {index for prompt, index in islice(order, len(rows) - 1) if prompt <= last}
    trained = rows.select([index for index in range(len(rows)) if index not in aside])
    return HeldOut(trained, rows.select(sorted(aside)[:MOST_ROWS]), SET_ASIDE)


def _first(validation: Any) -> Any:
    if not hasattr(validation, "__len__"):
        return as_dataset(validation.take(MOST_ROWS))
    order = _in_order_of_their_prompts(validation)
    return validation.select(sorted(index for _, index in order[:MOST_ROWS]))


def as_dataset(stream: Any) -> Any:
    """Return the rows of an `IterableDataset` as a `Dataset`."""
    import datasets

    return datasets.Dataset.from_list(list(stream), features=stream.features)


def _in_order_of_their_prompts(rows: Any) -> list[tuple[int, int]]:
    """Return (hash of the prompt, index) of all rows, in the order of the hashes."""
    batches = rows.select_columns("prompt").with_format("arrow").iter(10_000)
    prompts = (prompt for batch in batches for prompt in batch["prompt"].to_pylist())
    hashes = (xxhash.xxh64_intdigest(orjson.dumps(prompt)) for prompt in prompts)
    return sorted((value, index) for index, value in enumerate(hashes))
