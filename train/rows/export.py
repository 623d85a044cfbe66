"""The rows of an exported dataset: its Parquet files, their checksum, and their batches by split."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.export.dataset_folder import folder_checksum
from skillmill.data.files import sha256_of
from skillmill.data.inputs.row_files import open_rows
from skillmill.data.reasons import DUPLICATE, NEAR_DUPLICATE, NOT_GRADED, SEMANTIC_DUPLICATE, UNANSWERED
from skillmill.data.versions import VERSION_FILE
from skillmill.train.job import Job
from skillmill.train.rows.methods import LABEL, REJECTED

NOT_FAULTS = frozenset({*UNANSWERED, DUPLICATE, NEAR_DUPLICATE, SEMANTIC_DUPLICATE, NOT_GRADED})
"""Reasons that say nothing against an answer. A row that was rejected for them alone is no answer to avoid."""


def export_checksum(job: Job) -> str:
    """Return a SHA-256 over names and contents of the job's Parquet files.

    Raises `ConfigError` if `dataset_dir` is no exported dataset with the configuration, `SkillmillError` if the
    configuration has no rows, or if the folder's files are not those that the export wrote.
    """
    files = export_files(job, job.configuration)
    if not files:
        raise ConfigError(
            f"train.{job.stage}: {job.dataset_dir} is no exported dataset with a configuration "
            f"{job.configuration!r}; run `skillmill export` first"
        )
    if not _row_count(files):
        raise SkillmillError(f"train: the dataset has no rows (configuration {job.configuration!r})")
    _check_export(job)
    others = export_files(job, REJECTED) if LABEL in job.columns else []
    names = [file.name for file in files] + [f"{REJECTED}/{file.name}" for file in others]
    checksums = [(name, sha256_of(file)) for name, file in zip(names, [*files, *others], strict=True)]
    return hashlib.sha256(orjson.dumps(checksums)).hexdigest()


def export_batches(job: Job, split: str = "train") -> Iterator[pa.RecordBatch]:
    """Yield the rows of a split with the job's columns.

    With a column `label`, the rows of the configuration have true, and those of `rejected` that have a prompt, an
    answer and a reason beside `NOT_FAULTS` have false. Raises `SkillmillError` if rows of the configuration are
    missing.
    """
    files = export_files(job, job.configuration, split)
    columns = [column for column in job.columns if column != LABEL]
    read = 0
    for file in files:
        for batch in open_rows(file).batches(columns):
            read += len(batch)
            yield _with_label(batch, job, True)
    if read != (expected := _row_count(files)):
        raise SkillmillError(f"train.{job.stage}: {read} rows were loaded, expected the {expected} of the export")
    for file in export_files(job, REJECTED, split) if LABEL in job.columns else ():
        for batch in open_rows(file).batches([*columns, "reasons"]):
            yield _with_label(batch.filter(_is_to_avoid(batch)), job, False)


def export_files(job: Job, configuration: str, split: str = "train") -> list[Path]:
    """Return the Parquet files of a configuration and a split. The folder's name may hold `[` or `*`."""
    return sorted((job.dataset_dir / configuration).glob(f"{split}-*.parquet"))


def _with_label(batch: pa.RecordBatch, job: Job, label: bool) -> pa.RecordBatch:
    if LABEL in job.columns:
        labels = pa.array([label] * len(batch), pa.bool_())
        batch = batch.append_column(LABEL, labels)
    for column in job.columns:  # columns that only some sets have
        if column not in batch.schema.names:
            batch = batch.append_column(column, pa.nulls(len(batch)))
    return batch.select(list(job.columns))


def _is_to_avoid(batch: pa.RecordBatch) -> pa.Array:
    has_texts = pc.and_(*(pc.greater(pc.list_value_length(batch[column]), 0) for column in ("prompt", "completion")))
    has_fault = pa.array([not NOT_FAULTS.issuperset(reasons) for reasons in batch["reasons"].to_pylist()], pa.bool_())
    return pc.and_(has_texts, has_fault)


def _check_export(job: Job) -> None:
    """Raise `SkillmillError` if the folder's rows do not have the checksum in its `version.json`.

    A folder that an earlier version exported has no such file and is not checked.
    """
    file = job.dataset_dir / VERSION_FILE
    if not file.is_file():
        return
    try:
        exported = orjson.loads(file.read_bytes())["export_sha256"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        exported = None
    if exported != folder_checksum(job.dataset_dir):
        raise SkillmillError(
            f"train.{job.stage}: the files in {job.dataset_dir} are not those that were exported; run "
            "`skillmill export` again"
        )


def _row_count(files: list[Path]) -> int:
    return sum(pq.read_metadata(file).num_rows for file in files)
