"""What is installed is what lies in the repository: prompts, built-in lists and templates included."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("data", "teachers", "skill_taxonomy", "filters", "generators", "train", "flows")


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True)
    source = tmp_path / "source"
    source.mkdir()
    subprocess.run(["tar", "-x", "-C", str(source)], input=listed.stdout, check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    installed = set(zipfile.ZipFile(wheel).namelist())
    files = [path for package in PACKAGES for path in (source / package).rglob("*") if path.is_file()]
    assert {f"skillmill/{path.relative_to(source)}" for path in files} <= installed
