"""Rows of sets on the Hub that are read when the training comes to them, so that no set has to be downloaded first."""

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.train.job import Job
from skillmill.train.quiet import Network
from skillmill.train.rows.leaks import held_out_prompts, prompt_digest
from skillmill.train.rows.sources import Source, row_schema

log = logging.getLogger(__name__)


def streamed_rows(job: Job, sources: Sequence[Source], local: Sequence[Any | None]) -> Any:
    """Return the rows of some sets, mixed by their shares, as a `datasets.IterableDataset`.

    `local`: the rows of each set that is not lazy, a `datasets.Dataset`; None for the others. The mixture ends when one
    set does, so that no row comes twice. Held-out rows of lazy sets are left out. Raises `ConfigError` if no set has a
    column that markers name.
    """
    from datasets import interleave_datasets

    _check_columns(job, sources, local)
    held_out, network = held_out_prompts(job, sources), Network.as_now()
    streams = [
        _stream(source, frozenset(held_out), network)
        if rows is None
        else rows.select_columns(list(job.columns)).shuffle(seed=job.seed).to_iterable_dataset()
        for source, rows in zip(sources, local, strict=True)
    ]
    if len(streams) == 1:
        return streams[0]
    shares = [source.part.share for source in sources]
    return interleave_datasets(streams, probabilities=shares, seed=job.seed, stopping_strategy="first_exhausted")


def _stream(source: Source, held_out: Collection[bytes], network: Network) -> Any:
    from datasets import Features, IterableDataset

    return IterableDataset.from_generator(
        _rows,
        features=Features.from_arrow_schema(row_schema(source.job)),
        gen_kwargs={"source": source, "held_out": held_out, "network": network},
    )


def _rows(source: Source, held_out: Collection[bytes], network: Network) -> Iterator[dict[str, Any]]:
    """Yield the rows of a set. Only reading has access to the Hub, a training has none."""
    batches, has_left_out = source.batches(), False
    while True:
        with network.restored():
            batch = next(batches, None)
        if batch is None:
            return
        for row in batch.to_pylist():
            if prompt_digest(row["prompt"]) not in held_out:
                yield row
            elif not has_left_out:
                has_left_out = True
                log.warning(f"{source.key}: {source.name} has the prompts of held-out rows, which are left out")


def _check_columns(job: Job, sources: Sequence[Source], local: Sequence[Any | None]) -> None:
    markers = job.settings.markers.columns if job.settings.markers else ()
    for column in markers:
        if all(rows is None and column not in source.columns for source, rows in zip(sources, local, strict=True)):
            raise ConfigError(f"train.{job.stage}.markers.columns: no row has a value in the column {column!r}")
