"""Load the rows of a training job, and its validation rows, as datasets with the columns of its method."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from skillmill.data.inputs.datasets import mapped_dataset
from skillmill.train.job import Job
from skillmill.train.rows.export import export_batches, export_checksum

CACHE = ".cache"
"""The folder inside the work folder where `datasets` caches Arrow files; it is deleted after the training."""


def rows_checksum(job: Job) -> str:
    """Return a SHA-256 over the rows of a job. Raises `ConfigError`, or `SkillmillError` if there are none."""
    return export_checksum(job)


def load_rows(job: Job, work: Path) -> Any:
    """Return the job's rows as a `datasets.Dataset` with the job's columns; its Arrow cache is in the folder `work`."""
    return _mapped(job, export_batches(job), work, "rows.arrow")


def load_validation_rows(job: Job, work: Path) -> Any | None:
    """Return the rows of the split `validation` of the export as `load_rows` does, None if there are none.

    The split has rows if `export.validation` is more than 0 (`data/export/splits.py`).
    """
    batches = (batch for batch in export_batches(job, "validation") if len(batch))
    first = next(batches, None)
    return None if first is None else _mapped(job, _chained(first, batches), work, "validation.arrow")


def _chained(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _mapped(job: Job, batches: Iterator[pa.RecordBatch], work: Path, name: str) -> Any:
    return mapped_dataset(batches, work / CACHE / name).select_columns(list(job.columns))
