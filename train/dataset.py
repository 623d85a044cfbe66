"""The rows of a training: the Parquet files of an exported dataset, their checksum, and loading."""

import hashlib
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.files import sha256_of
from skillmill.data.inputs.datasets import mapped_dataset
from skillmill.data.inputs.row_files import open_rows
from skillmill.train.job import Job

CACHE = ".cache"
"""The folder inside the work folder where `datasets` caches Arrow files; it is deleted after the training."""


def dataset_checksum(job: Job) -> str:
    """Return a SHA-256 over names and contents of the job's Parquet files.

    Raises `ConfigError` if `dataset_dir` is no exported dataset with the configuration, `SkillmillError` if the
    configuration has no rows.
    """
    files = _files(job)
    if not files:
        raise ConfigError(
            f"train.{job.stage}: {job.dataset_dir} is no exported dataset with a configuration "
            f"{job.configuration!r}; run `skillmill export` first"
        )
    if not sum(pq.read_metadata(file).num_rows for file in files):
        raise SkillmillError(f"train: the dataset has no rows (configuration {job.configuration!r})")
    checksums = [(file.name, sha256_of(file)) for file in files]
    return hashlib.sha256(orjson.dumps(checksums)).hexdigest()


def load_rows(job: Job, work: Path) -> Any:
    """Return the job's rows as a `datasets.Dataset` with the job's columns; its Arrow cache is in the folder `work`."""
    batches = (batch for file in _files(job) for batch in open_rows(file).batches(job.columns))
    return mapped_dataset(batches, work / CACHE / "rows.arrow").select_columns(list(job.columns))


def _files(job: Job) -> list[Path]:
    """Return the Parquet files of the job's rows. The folder's name may hold `[` or `*`, which `datasets` expands."""
    return sorted((job.dataset_dir / job.configuration).glob("train-*.parquet"))
