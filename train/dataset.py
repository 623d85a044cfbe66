"""The rows of a training: the Parquet files of an exported dataset, their checksum, and loading."""

import hashlib
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.files import sha256_of
from skillmill.train.job import Job

CACHE = ".cache"
"""The folder inside the work folder where `datasets` caches Arrow files; it is deleted after the training."""


def dataset_checksum(job: Job) -> str:
    """Return a SHA-256 over names and contents of the job's Parquet files.

    Raises `ConfigError` if `dataset_dir` is no exported dataset with the configuration, `SkillmillError` if the
    configuration has no rows.
    """
    files = sorted((job.dataset_dir / job.configuration).glob("train-*.parquet"))
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
    from datasets import load_dataset

    cache_dir = str(work / CACHE / "datasets")
    rows = load_dataset(str(job.dataset_dir), job.configuration, split="train", cache_dir=cache_dir)
    return rows.select_columns(list(job.columns))
