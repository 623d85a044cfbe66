"""The rows of a training: the Parquet files of an exported dataset, their checksum, and loading."""

import hashlib
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.export.dataset_folder import folder_checksum
from skillmill.data.files import sha256_of
from skillmill.data.inputs.datasets import mapped_dataset
from skillmill.data.inputs.row_files import open_rows
from skillmill.data.versions import VERSION_FILE
from skillmill.train.job import Job

CACHE = ".cache"
"""The folder inside the work folder where `datasets` caches Arrow files; it is deleted after the training."""


def dataset_checksum(job: Job) -> str:
    """Return a SHA-256 over names and contents of the job's Parquet files.

    Raises `ConfigError` if `dataset_dir` is no exported dataset with the configuration, `SkillmillError` if the
    configuration has no rows, or if the folder's files are not those that the export wrote.
    """
    files = _files(job)
    if not files:
        raise ConfigError(
            f"train.{job.stage}: {job.dataset_dir} is no exported dataset with a configuration "
            f"{job.configuration!r}; run `skillmill export` first"
        )
    if not _row_count(files):
        raise SkillmillError(f"train: the dataset has no rows (configuration {job.configuration!r})")
    _check_export(job)
    checksums = [(file.name, sha256_of(file)) for file in files]
    return hashlib.sha256(orjson.dumps(checksums)).hexdigest()


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


def load_rows(job: Job, work: Path) -> Any:
    """Return the job's rows as a `datasets.Dataset` with the job's columns; its Arrow cache is in the folder `work`."""
    files = _files(job)
    batches = (batch for file in files for batch in open_rows(file).batches(job.columns))
    rows = mapped_dataset(batches, work / CACHE / "rows.arrow").select_columns(list(job.columns))
    if len(rows) != (expected := _row_count(files)):
        raise SkillmillError(f"train.{job.stage}: {len(rows)} rows were loaded, expected the {expected} of the export")
    return rows


def _files(job: Job) -> list[Path]:
    """Return the Parquet files of the job's rows. The folder's name may hold `[` or `*`, which `datasets` expands."""
    return sorted((job.dataset_dir / job.configuration).glob("train-*.parquet"))
