"""Rows of a training from an exported dataset."""

from pathlib import Path

import pytest

from skillmill.train.dataset import load_rows
from skillmill.train.job import Job

from .conftest import config, write_dataset


@pytest.mark.parametrize("folder", ["exp[k=3]", "a*b", "what?", "[!x]"])
def test_a_path_is_literal(tmp_path: Path, folder: str) -> None:
    data = write_dataset(tmp_path / folder / "export", rows=3, pairs=2)
    settings = config().sft
    assert settings is not None
    job = Job("sft", settings, None, data, "sft", ("prompt", "completion"), tmp_path / folder / "out", 0)
    rows = load_rows(job, tmp_path / folder / "work")
    assert rows.column_names == ["prompt", "completion"]
    assert len(rows) == 3
    assert rows[0]["prompt"][0]["role"] == "user"
