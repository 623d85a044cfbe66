"""Commands that are given an `output_dir` find the work folder of its run."""

from pathlib import Path

import pytest

from skillmill.data.remote.url import cache_folder
from skillmill.flows.runtime.named_directory import work_folder

URL = "s3://bucket/run"


@pytest.mark.parametrize("name", ["runs/demo", URL])
def test_the_configured_work_dir_counts_if_it_is_on_this_machine(tmp_path: Path, name: str) -> None:
    default = cache_folder(URL) if name == URL else Path("runs/demo/.work")
    assert work_folder(name, {}) == default
    assert work_folder(name, {"configuration": {"work_dir": None}}) == default
    assert work_folder(name, {"configuration": {"work_dir": str(tmp_path / "elsewhere")}}) == default
    assert work_folder(name, {"configuration": {"work_dir": str(tmp_path)}}) == tmp_path
