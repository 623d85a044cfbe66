"""Each method gets the rows and the columns of an export that it needs."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from skillmill.data.records import SampleRow, text_of
from skillmill.train.rows.load import load_rows, load_validation_rows, rows_checksum

from .conftest import job_of, rows_for, write_export


def stored(export: Path, configuration: str, split: str) -> list[SampleRow]:
    files = sorted((export / configuration).glob(f"{split}-*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


@pytest.mark.parametrize(
    ("stage", "configuration", "columns"),
    [
        ("sft", "sft", {"prompt", "completion"}),
        ("dpo", "preference", {"prompt", "chosen", "rejected"}),
        ("grpo", "sft", {"prompt", "kind", "k", "skills", "topic", "query_type", "length", "language"}),
    ],
)
def test_a_method_gets_the_rows_for_training_with_its_columns(
    stage: str, configuration: str, columns: set[str], export: Path, tmp_path: Path
) -> None:
    rows = load_rows(job_of(stage, export), tmp_path)
    assert set(rows.column_names) == columns
    expected = stored(export, configuration, "train")
    assert [dict(row) for row in rows] == [{column: dict(row)[column] for column in columns} for row in expected]


def test_kto_learns_accepted_rows_and_avoids_those_with_a_fault(export: Path, tmp_path: Path) -> None:
    rows = load_rows(job_of("kto", export), tmp_path)
    assert rows.column_names == ["prompt", "completion", "label"]
    labels = {text_of(row["prompt"]): row["label"] for row in rows}
    accepted = stored(export, "sft", "train")
    faults = [row for row in stored(export, "rejected", "train") if row["reasons"][-1] in ("echo", "refusal")]
    assert labels == {text_of(row["prompt"]): row in accepted for row in (*accepted, *faults)}
    assert faults and all(row["completion"] for row in rows)


def test_the_checksum_of_kto_covers_the_rejected_rows(tmp_path: Path) -> None:
    rows = rows_for(16)
    one = write_export(tmp_path / "one", rows)
    other = write_export(
        tmp_path / "other", [row if row["verdict"] == "accepted" else {**row, "seed": 9} for row in rows]
    )
    assert rows_checksum(job_of("sft", one)) == rows_checksum(job_of("sft", other))
    assert rows_checksum(job_of("kto", one)) != rows_checksum(job_of("kto", other))


@pytest.mark.parametrize("stage", ["sft", "dpo", "kto", "grpo"])
def test_validation_rows_are_those_of_the_split(stage: str, export: Path, tmp_path: Path) -> None:
    rows = load_validation_rows(job_of(stage, export), tmp_path)
    assert rows is not None
    prompts = {text_of(row["prompt"]) for row in rows}
    assert {text_of(row["prompt"]) for row in stored(export, "sft", "validation")} <= prompts
    assert not prompts & {text_of(row["prompt"]) for row in load_rows(job_of(stage, export), tmp_path)}


def test_an_export_without_validation_has_no_validation_rows(tmp_path: Path) -> None:
    folder = write_export(tmp_path, rows_for(8))
    assert load_validation_rows(job_of("sft", folder), tmp_path) is None
