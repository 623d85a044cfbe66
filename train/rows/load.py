"""Load the rows of a training job, and its validation rows, as datasets with the columns of its method."""

import hashlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypedDict

import orjson
import pyarrow as pa

from skillmill.data.errors import ConfigError
from skillmill.data.export.thinking import THINKING
from skillmill.data.inputs.datasets import mapped_dataset
from skillmill.train.job import Job
from skillmill.train.rows.config import LOSS
from skillmill.train.rows.export import export_batches, export_checksum
from skillmill.train.rows.finish import PHASE
from skillmill.train.rows.leaks import check_leaks
from skillmill.train.rows.mixture import mix, mixed_counts
from skillmill.train.rows.sources import Source, row_schema, sources
from skillmill.train.rows.streams import streamed_rows
from skillmill.train.rows.thinking import learns_thinking, think_first, thinking_field

log = logging.getLogger(__name__)

CACHE = ".cache"
"""The folder inside the work folder where `datasets` caches Arrow files; it is deleted after the training."""


class SourceFacts(TypedDict):
    """What was taken from one set of rows: `rows` rows. `left_out` further rows have no request or no answer.

    Both are None for a set whose rows are read when the training comes to them.
    """

    data: str
    rows: int | None
    left_out: int | None


@dataclass(frozen=True)
class JobRows:
    """The rows of a job, a `datasets.Dataset`, and what was taken from each set.

    They are a `datasets.IterableDataset` if `settings.is_lazy`.

    The rows have the job's columns and those that `finished_rows` needs.
    """

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
        checksums = [source.checksum() for source in chain(*sources(job, Path(cache)))]
    return hashlib.sha256(orjson.dumps([checksums, settings], option=orjson.OPT_SORT_KEYS)).hexdigest()


def check_rows(job: Job) -> None:
    """Raise `ConfigError` if a set other than an export is not there, or lacks the columns that the method needs."""
    _check_stage(job)
    with tempfile.TemporaryDirectory() as cache:
        for source in chain(*sources(job, Path(cache))):
            source.check()


def load_job_rows(job: Job, work: Path) -> JobRows:
    """Return the rows of a job; their Arrow cache is in the folder `work`.

    Raises `ConfigError` if a set cannot be read, has not the columns or rows that are needed, or has held-out rows;
    `SkillmillError` if the export was changed.
    """
    from datasets import concatenate_datasets

    _check_stage(job)
    reading = _reading(job)
    phases, facts = [], []
    found = sources(reading, work / CACHE)
    if job.settings.is_lazy:
        return _lazy_rows(job, reading, found[0])
    loaded = [
        [_mapped(source.job, source.batches(), source.cache / "made.arrow", phase) for source in of_phase]
        for phase, of_phase in enumerate(found)
    ]
    check_leaks(reading, list(chain(*found)), list(chain(*loaded)))
    for (prefix, sets), of_phase, rows in zip(job.settings.groups, found, loaded, strict=True):
        counts = mixed_counts(sets.parts, [len(each) for each in rows], f"train.{job.stage}.{prefix}mixture")
        phases.append(mix(rows, counts, job.seed))
        facts += [_facts(source, count) for source, count in zip(of_phase, counts, strict=True)]
    _log_sources(job, facts)
    return JobRows(_with_thinking(job, concatenate_datasets(phases) if len(phases) > 1 else phases[0]), facts)


def _lazy_rows(job: Job, reading: Job, found: Sequence[Source]) -> JobRows:
    local = [
        None if source.is_lazy else _mapped(source.job, source.batches(), source.cache / "made.arrow", 0)
        for source in found
    ]
    mapped = [(source, rows) for source, rows in zip(found, local, strict=True) if rows is not None]
    check_leaks(reading, [source for source, _ in mapped], [rows for _, rows in mapped])
    rows = streamed_rows(reading, found, local)
    if learns_thinking(job):
        field = thinking_field(job)
        rows = rows.map(lambda row: think_first(row, field), features=_features(rows, field))
    facts = [SourceFacts(data=source.name, rows=None, left_out=None) for source in found]
    _log_sources(job, facts)
    return JobRows(rows, facts)


def load_rows(job: Job, work: Path) -> Any:
    """Return the dataset of `load_job_rows` with the job's columns alone."""
    return load_job_rows(job, work).dataset.select_columns(list(job.columns))


def load_validation_rows(job: Job, work: Path) -> Any | None:
    """Return the rows of the split `validation` of the job's exports as `load_rows` does, None if there are none.

    The split has rows if `export.validation` is more than 0 (`data/export/splits.py`).
    """
    reading = _reading(job)
    exports = [export for source in chain(*sources(reading, work / CACHE)) if (export := source.export())]
    batches = [batch for export in exports for batch in export_batches(export, "validation") if len(batch)]
    if not batches:
        return None
    rows = _mapped(reading, iter(batches), work / CACHE / "validation.arrow", 0)
    return _with_thinking(job, rows).select_columns(list(job.columns))


def _check_stage(job: Job) -> None:
    """Raise `ConfigError` for settings that the method of the job has not."""
    if job.settings.order == LOSS and (job.stage != "sft" or job.settings.args.get("packing")):
        raise ConfigError(f"train.{job.stage}.order: loss is expected with train.sft without packing")
    steps = job.settings.args.get("max_steps", -1)
    if job.settings.streaming and (job.stage != "sft" or not isinstance(steps, int) or steps < 1):
        raise ConfigError(
            f"train.{job.stage}.streaming: expected with train.sft and its args.max_steps, as a stream has no length"
        )


def _reading(job: Job) -> Job:
    """Return the job with the columns that are read: also those that order, markers and thinking need."""
    thinking = (THINKING,) if learns_thinking(job) else ()
    return replace(job, columns=tuple(dict.fromkeys((*job.columns, *job.settings.further_columns, *thinking))))


def _with_thinking(job: Job, rows: Any) -> Any:
    """Return the rows with the column `thinking` as a part of the completions, where the column has values."""
    if not learns_thinking(job) or rows.data.column(THINKING).null_count == rows.data.num_rows:
        return rows
    field = thinking_field(job)
    return rows.map(lambda row: think_first(row, field), load_from_cache_file=False, features=_features(rows, field))


def _features(rows: Any, field: str | None) -> Any:
    """Return the features of the rows, with a further field in the messages of the completions."""
    from datasets import Features, List, Value

    messages = {name: Value("string") for name in ("role", "content", *([field] if field else []))}
    return Features({**rows.features, "completion": List(messages)})


def _facts(source: Source, rows: int) -> SourceFacts:
    return {"data": source.name, "rows": rows, "left_out": source.left_out}


def _log_sources(job: Job, facts: list[SourceFacts]) -> None:
    for each in facts if len(facts) > 1 or any(each["left_out"] or each["rows"] is None for each in facts) else ():
        if each["rows"] is None:
            log.info(f"train {job.stage}: the rows of {each['data']} are read when the training comes to them")
            continue
        left_out = f", {each['left_out']} without a request or an answer left out" if each["left_out"] else ""
        log.info(f"train {job.stage}: {each['rows']} rows of {each['data']}{left_out}")


def _mapped(job: Job, batches: Iterator[pa.RecordBatch], file: Path, phase: int) -> Any:
    schema = row_schema(job)
    numbered = (
        batch.cast(schema).append_column(PHASE, pa.array([phase] * len(batch), pa.int32())) for batch in batches
    )
    return mapped_dataset(numbered, file)
