"""Held-out rows in a set for training are one clear error."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skillmill.data.errors import ConfigError
from skillmill.train.config import SftConfig
from skillmill.train.rows.load import load_rows

from .conftest import job_of, rows_for, write_export


def stored(export: Path, split: str, configuration: str = "sft") -> list[dict[str, Any]]:
    files = sorted((export / configuration).glob(f"{split}-*.parquet"))
    rows: list[dict[str, Any]] = pa.concat_tables(map(pq.read_table, files)).to_pylist()
    return rows


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


def error(export: Path, tmp_path: Path, **part: Any) -> str:
    job = job_of("sft", export, SftConfig.model_validate({"mixture": [{}, part]}))
    with pytest.raises(ConfigError) as caught:
        load_rows(job, tmp_path / "work")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("configuration", ["sft", "rejected"])
def test_a_prompt_of_a_held_out_row_is_an_error(split: str, configuration: str, export: Path, tmp_path: Path) -> None:
    asked = next(row for row in stored(export, split, configuration) if row["prompt"])["prompt"][0]["content"]
    file = write(
        tmp_path, [{"prompt": f"  {asked.upper()} ", "completion": "Mine."}, {"prompt": "x", "completion": "y"}]
    )
    message = error(export, tmp_path, data=str(file))
    expected = f"{file} has the prompts of held-out rows (1 of {split}), expected none"
    assert message == f"train.sft.mixture.1.data: {expected}"


def test_rows_that_say_that_they_are_held_out_are_an_error_without_their_export(export: Path, tmp_path: Path) -> None:
    rows = [{key: row[key] for key in ("prompt", "completion", "split", "cell")} for row in stored(export, "test")]
    other = write_export(tmp_path / "other", rows_for(8))
    message = error(other, tmp_path, data=str(write(tmp_path, rows)))
    assert message.endswith("has held-out rows, of the split test, expected none")


def test_a_held_out_split_of_an_export_is_an_error(export: Path, tmp_path: Path) -> None:
    expected = "train.sft.mixture.1.data: the split test of an export is held out, expected the split train"
    assert error(export, tmp_path, data=str(export), split="test") == expected
    assert error(export, tmp_path, split="test") == expected


def test_the_held_out_rows_of_another_export_count_too(export: Path, tmp_path: Path) -> None:
    shutil.copytree(export, tmp_path / "theirs")
    own = write_export(tmp_path / "own", rows_for(8))
    asked = stored(export, "test")[0]["prompt"]
    file = write(tmp_path, [{"prompt": asked, "completion": "Mine."}])
    parts = [{"data": str(tmp_path / "theirs")}, {"data": str(file)}]
    job = job_of("sft", own, SftConfig.model_validate({"mixture": parts}))
    with pytest.raises(ConfigError, match=r"mixture\.1\.data: .* has the prompts of held-out rows \(1 of test\)"):
        load_rows(job, tmp_path / "work")


def test_rows_for_training_are_no_leak(export: Path, tmp_path: Path) -> None:
    file = write(tmp_path, [{key: row[key] for key in ("prompt", "completion")} for row in stored(export, "train")])
    job = job_of("sft", export, SftConfig(data=str(file)))
    assert len(load_rows(job, tmp_path / "work")) == len(stored(export, "train"))
