"""Load the rows of a training job, and its validation rows, as datasets with the columns of its method."""

import hashlib
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import orjson
import pyarrow as pa

from skillmill.data.inputs.datasets import mapped_dataset
from skillmill.train.job import Job
from skillmill.train.rows.export import export_batches, export_checksum
from skillmill.train.rows.leaks import check_leaks
from skillmill.train.rows.mixture import mix, mixed_counts
from skillmill.train.rows.sources import Source, row_schema, sources

log = logging.getLogger(__name__)

CACHE = ".cache"
"""The folder inside the work folder where `datasets` caches Arrow files; it is deleted after the training."""


class SourceFacts(TypedDict):
    """What was taken from one set of rows: `rows` rows. `left_out` further rows have no request or no answer."""

    data: str
    rows: int
    left_out: int


@dataclass(frozen=True)
class JobRows:
    """The rows of a job, a `datasets.Dataset` with the job's columns, and what was taken from each set."""

    dataset: Any
    sources: list[SourceFacts]


def rows_checksum(job: Job) -> str:
    """Return a SHA-256 over the rows of a job and the settings that choose and change them.

    With the default settings it is that of the export's files. Raises `ConfigError` if a set is not there,
    `SkillmillError` if the export has no rows.
    """
    settings = job.settings.row_settings()
    if not settings:
        return export_checksum(job)
    with tempfile.TemporaryDirectory() as cache:
        checksums = [source.checksum() for source in sources(job, Path(cache))]
    return hashlib.sha256(orjson.dumps([checksums, settings], option=orjson.OPT_SORT_KEYS)).hexdigest()


def check_rows(job: Job) -> None:
    """Raise `ConfigError` if a set other than an export is not there, or lacks the columns that the method needs."""
    with tempfile.TemporaryDirectory() as cache:
        for source in sources(job, Path(cache)):
            source.check()


def load_rows(job: Job, work: Path) -> Any:
    """Return the dataset of `load_job_rows`."""
    return load_job_rows(job, work).dataset


def load_job_rows(job: Job, work: Path) -> JobRows:
    """Return the rows of a job; their Arrow cache is in the folder `work`.

    Raises `ConfigError` if a set cannot be read or has not the columns or rows that are needed, `SkillmillError`.
    """
    found = sources(job, work / CACHE)
    loaded = [_mapped(job, source.batches(), source.cache / "made.arrow") for source in found]
    check_leaks(job, found, loaded)
    counts = mixed_counts(job.settings.parts, [len(rows) for rows in loaded], f"train.{job.stage}.mixture")
    facts = [_facts(source, count) for source, count in zip(found, counts, strict=True)]
    _log_sources(job, facts)
    return JobRows(mix(loaded, counts, job.seed), facts)


def load_validation_rows(job: Job, work: Path) -> Any | None:
    """Return the rows of the split `validation` of the job's exports as `load_rows` does, None if there are none.

    The split has rows if `export.validation` is more than 0 (`data/export/splits.py`).
    """
    exports = [export for source in sources(job, work / CACHE) if (export := source.export())]
    batches = [batch for export in exports for batch in export_batches(export, "validation") if len(batch)]
    return _mapped(job, iter(batches), work / CACHE / "validation.arrow") if batches else None


def _facts(source: Source, rows: int) -> SourceFacts:
    return {"data": source.name, "rows": rows, "left_out": source.left_out}


def _log_sources(job: Job, facts: list[SourceFacts]) -> None:
    for each in facts if len(facts) > 1 or any(each["left_out"] for each in facts) else ():
        left_out = f", {each['left_out']} without a request or an answer left out" if each["left_out"] else ""
        log.info(f"train {job.stage}: {each['rows']} rows of {each['data']}{left_out}")


def _mapped(job: Job, batches: Iterator[pa.RecordBatch], file: Path) -> Any:
    schema = row_schema(job)
    return mapped_dataset((batch.cast(schema) for batch in batches), file)
