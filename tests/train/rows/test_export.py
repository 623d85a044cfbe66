"""Rows of a training from an exported dataset."""

from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from skillmill.data.errors import SkillmillError
from skillmill.data.export.dataset_folder import folder_checksum
from skillmill.data.versions import VERSION_FILE
from skillmill.train.job import Job
from skillmill.train.rows.load import load_rows, rows_checksum

from ..conftest import config, write_dataset

FILE = "sft/train-00000.parquet"
PATTERNS = ["exp[k=3]", "a*b", "what?", "[!x]", "{a,b}", "**"]


def sft_job(data: Path) -> Job:
    settings = config().sft
    assert settings is not None
    return Job("sft", settings, None, data, "sft", ("prompt", "completion"), data.parent / "out", 0)


@pytest.mark.parametrize("folder", PATTERNS)
def test_a_path_is_literal(tmp_path: Path, folder: str) -> None:
    data = write_dataset(tmp_path / folder / "export", rows=3, pairs=2)
    for other in ("exp3", "expk", "axb", "whats", "y", "a", "b"):  # what the names would match as patterns
        write_dataset(tmp_path / other / "export", rows=8, pairs=2)
    job = sft_job(data)
    assert rows_checksum(job)
    rows = load_rows(job, tmp_path / folder / "work")
    assert rows.column_names == ["prompt", "completion"]
    assert len(rows) == 3
    assert rows[0]["prompt"][0]["role"] == "user"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: (data / FILE).rename(data / "sft" / "train-00001.parquet"),
        lambda data: (data / "sft" / "train-x.parquet").write_bytes((data / FILE).read_bytes()),
        lambda data: pq.write_table(pq.read_table(data / FILE)[:2], data / FILE),
        lambda data: (data / VERSION_FILE).write_bytes(b"{}"),
        lambda data: (data / VERSION_FILE).write_bytes(b"not JSON"),
    ],
    ids=["renamed", "further file", "fewer rows", "no checksum", "damaged"],
)
def test_rows_that_are_not_those_of_the_export_are_an_error(change: Any, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "export", rows=3, pairs=2)
    (data / VERSION_FILE).write_bytes(orjson.dumps({"export_sha256": folder_checksum(data)}))
    assert rows_checksum(sft_job(data))
    change(data)
    with pytest.raises(SkillmillError, match=r"^train\.sft: the files in .* are not those that were exported; run `sk"):
        rows_checksum(sft_job(data))
