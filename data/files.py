"""Files that are there whole or not at all."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skillmill.data.errors import StoreError


@contextmanager
def store_errors(what: str) -> Iterator[None]:
    """Turn an `OSError` (full disk, no permission) into a `StoreError` that says what was being done."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{what}: {error.strerror or error}") from None


def hidden(path: Path) -> Path:
    """The temporary name beside `path`. The leading dot keeps dataset readers from taking it for data."""
    return path.with_name(f".{path.name}.tmp")


def sync(path: Path) -> None:
    """Force a file or a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Write under a hidden name, sync, rename. Raises `StoreError`; then the old file is still there."""
    with store_errors(f"cannot write {path}"):
        temporary = hidden(path)
        temporary.write_bytes(content)
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)


def replace_folder(new: Path, path: Path) -> None:
    """Put the folder `new` in the place of `path`, which may exist."""
    with store_errors(f"cannot write {path}"):
        old = path.with_name(f".{path.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            path.rename(old)
        new.rename(path)
        sync(path.parent)
        shutil.rmtree(old, ignore_errors=True)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
