"""What is installed is what lies in the repository: prompts, built-in lists and templates included."""

import zipfile
from pathlib import Path

from installed_wheel import PACKAGES, build_wheel, tracked_files


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    installed = set(zipfile.ZipFile(build_wheel(tmp_path)).namelist())
    assert {f"skillmill/{path}" for path in tracked_files(*PACKAGES)} <= installed
