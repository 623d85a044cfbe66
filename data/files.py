"""Atomic file writes, checksums, and I/O errors as `StoreError`."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skillmill.data.errors import StoreError


@contextmanager
def store_errors(action: str) -> Iterator[None]:
    """Raise any `OSError` of the block, e.g. a full disk, as a `StoreError` whose message begins with `action`."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{action}: {error.strerror or error}") from None


def temporary_path(path: Path) -> Path:
    """Return the path under which a file is written before it is renamed to `path`.

    The name is in the same folder and begins with a dot, so that readers of datasets ignore it.
    """
    return path.with_name(f".{path.name}.tmp")


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file to a temporary path, flush it to the disk and rename it to `path`.

    Raises `StoreError`; the previous file at `path` is then unchanged.
    """
    with store_errors(f"cannot write {path}"):
        temporary = temporary_path(path)
        temporary.write_bytes(content)
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)


def recover_folder(path: Path) -> None:
    """Put the folder back that a crash of `replace_folder` between its two renames took away. Raises `StoreError`."""
    old = _old(path)
    if old.exists() and not path.exists():
        with store_errors(f"cannot write {path}"):
            old.rename(path)


def replace_folder(new: Path, path: Path) -> None:
    """Rename the folder `new` to `path` and delete the folder that was at `path`, if any.

    Raises `StoreError`. After a crash in between, `recover_folder` puts the old folder back.
    """
    with store_errors(f"cannot write {path}"):
        old = _old(path)
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            path.rename(old)
        new.rename(path)
        sync(path.parent)
        shutil.rmtree(old, ignore_errors=True)


def _old(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 checksum of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
