"""The wheel of the working tree, and an environment in which skillmill is installed from it."""

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("data", "teachers", "skill_taxonomy", "filters", "generators", "train", "flows")


def tracked_files(*paths: str) -> list[str]:
    """The files of the working tree that git does not ignore, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in sorted({*listed.stdout.split("\0")} - {""}) if (ROOT / path).is_file()]


def build_wheel(folder: Path) -> Path:
    """Build the wheel in a copy of the source, as a build from a clone does."""
    for path in tracked_files(*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        target = folder / "source" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(folder), str(folder / "source")], check=True, capture_output=True)
    shutil.rmtree(folder / "source")
    [wheel] = folder.glob("*.whl")
    return wheel


def install_wheel(folder: Path) -> Path:
    """Install the wheel in a new environment and return its Python. The other packages are those of this environment.

    Lines of a .pth file add folders to `sys.path` and nothing else, so that the clone which is installed here in
    editable mode is not visible there.
    """
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, capture_output=True)
    scheme = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", vars=scheme))
    with zipfile.ZipFile(build_wheel(folder)) as wheel:
        wheel.extractall(packages)
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    script = environment / "bin" / "skillmill"
    script.write_text(f"#!{environment}/bin/python\nfrom skillmill.flows.cli.main import main\nmain()\n")
    script.chmod(0o755)
    return environment / "bin" / "python"
