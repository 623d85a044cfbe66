"""Held-out rows must not be trained on: rows of the splits validation and test, and rows with their prompts."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.row_files import BATCH_ROWS, open_rows
from skillmill.data.records import Message
from skillmill.train.job import Job
from skillmill.train.rows.export import export_files
from skillmill.train.rows.methods import HELD_OUT, REJECTED
from skillmill.train.rows.sources import Source


def check_leaks(job: Job, sources: Sequence[Source], datasets: Sequence[Any]) -> None:
    """Raise `ConfigError` if a set beside the run's own export has held-out rows of an export, or their prompts.

    `datasets` are the rows of the sources. The prompts are those of the run's export and of other exports among the
    sources; the last message of the user is compared, without regard to case and white space.
    """
    others = [(source, rows) for source, rows in zip(sources, datasets, strict=True) if source.export() is not job]
    if not others:
        return
    held_out = held_out_prompts(job, sources)
    for source, rows in others:
        _check_split_column(source)
        batches = rows.select_columns("prompt").with_format("arrow").iter(BATCH_ROWS) if held_out else ()
        prompts = (prompt for batch in batches for prompt in batch["prompt"].to_pylist())
        leaked = [digest for digest in _prompts(prompts) if digest in held_out]
        if leaked:
            splits = Counter(held_out[digest] for digest in leaked)
            of_splits = " and ".join(f"{count} of {split}" for split, count in splits.items())
            raise ConfigError(
                f"{source.key}: {source.part.data} has the prompts of held-out rows ({of_splits}), expected none"
            )


def held_out_prompts(job: Job, sources: Iterable[Source]) -> dict[bytes, str]:
    """Return the splits of the held-out prompts of the run's export and of exports among the sources, by digest."""
    exports = [job, *(export for source in sources if (export := source.export()) and export is not job)]
    return {digest: split for split in HELD_OUT for export in exports for digest in _held_out(export, split)}


def _check_split_column(source: Source) -> None:
    """Raise `ConfigError` if rows of skillmill's own form say that they are held out."""
    splits = source.splits() & set(HELD_OUT)
    if splits:
        named = " and ".join(sorted(splits))
        raise ConfigError(f"{source.key}: {source.part.data} has held-out rows, of the split {named}, expected none")


def _held_out(export: Job, split: str) -> Iterable[bytes]:
    for configuration in dict.fromkeys((export.configuration, "sft", REJECTED)):
        for file in export_files(export, configuration, split):
            for batch in open_rows(file).batches(["prompt"]):
                yield from _prompts(batch["prompt"].to_pylist())


def _prompts(prompts: Iterable[list[Message]]) -> Iterable[bytes]:
    yield from map(prompt_digest, prompts)


def prompt_digest(prompt: Sequence[Message]) -> bytes:
    """Return a digest of the last message of the user, without regard to case and white space."""
    text = next((message["content"] for message in reversed(prompt) if message["role"] == "user"), "")
    return hashlib.blake2b(" ".join(text.lower().split()).encode(), digest_size=12).digest()
