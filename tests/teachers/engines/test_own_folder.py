"""Temporary folders: each process has its own, and the next one deletes what a killed one left."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skillmill.teachers.engines.own_folder import PREFIX, own_folder


def test_the_folder_of_a_killed_process_is_deleted_and_that_of_a_running_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f"{PREFIX}{ended.pid}-abc"
    others = [tmp_path / f"{PREFIX}{os.getpid()}-abc", tmp_path / f"{PREFIX}notes-abc", tmp_path / "other"]
    for folder in (left, *others):
        folder.mkdir()
        (folder / "file").touch()
    with own_folder() as own:
        assert Path(own).is_dir()
        assert not left.exists()
        assert all((folder / "file").exists() for folder in others)
    assert not Path(own).exists()
