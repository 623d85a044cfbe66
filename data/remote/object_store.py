"""The objects of an output directory on a store, by fsspec. Each fault is one line that names `output_dir`."""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError, StoreError

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}
"""The package of fsspec for each scheme."""
BATCH = 64
"""How many files are sent or fetched by one call, so that a run with many shards keeps its memory."""


class ObjectStore:
    """The objects below a URL. Keys are relative to it.

    The settings of the store, such as its endpoint and credentials, are those of its own environment variables and of
    fsspec's (`FSSPEC_S3_…`).

    Raises `ConfigError` if the package of the scheme is missing; the methods raise `StoreError`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        scheme, _, self._root = url.partition("://")
        try:
            import_module(PACKAGES[scheme])
        except ImportError as error:
            raise ConfigError(
                f"output_dir: {scheme}:// needs more packages ({error}): pip install 'skillmill[{scheme}]'"
            ) from None
        import fsspec

        for library in ("aiobotocore", "botocore", "s3fs", "fsspec"):
            logging.getLogger(library).setLevel(logging.ERROR)
        with self._faults("open"):
            self._files: Any = fsspec.filesystem(scheme, use_listings_cache=False)

    def names(self, folder: str) -> list[str]:
        """Return the names of the objects in a folder, none if there is no such folder."""
        with self._faults("list"):
            try:
                found = self._files.ls(f"{self._root}/{folder}", detail=False)
            except FileNotFoundError:
                self._require_bucket()
                return []
        return [str(name).rpartition("/")[2] for name in found]

    def keys(self) -> dict[str, int]:
        """Return the keys of all objects with their sizes in bytes."""
        with self._faults("list"):
            found = self._files.find(self._root, detail=True)
        return {name.lstrip("/").removeprefix(f"{self._root}/"): int(about["size"]) for name, about in found.items()}

    def read(self, key: str) -> bytes | None:
        """Return the content of an object, None if there is none."""
        with self._faults("read", key):
            try:
                content: bytes = self._files.cat_file(f"{self._root}/{key}")
            except FileNotFoundError:
                return None
        return content

    def write(self, key: str, content: bytes) -> None:
        """Write an object, whatever is there."""
        with self._faults("write", key):
            self._files.pipe_file(f"{self._root}/{key}", content)

    def create(self, key: str, content: bytes) -> bool:
        """Write an object only if there is none with this key (`If-None-Match: *`); return whether it was written.

        A store may answer a repeated request of this call with "it is there already", so that False does not say that
        somebody else wrote it: `read` tells.
        """
        with self._faults("write", key):
            try:
                self._files.pipe_file(f"{self._root}/{key}", content, mode="create")
            except FileExistsError:
                return False
            except Exception:
                if self.read(key) is None:  # else the store has another word for "it is there already"
                    raise
                return False
        return True

    def upload(self, files: Sequence[tuple[Path, str]]) -> None:
        """Send files to their keys, which name their contents: an object that is there is right."""
        for some in _batches(files):
            with self._faults("write", some[0][1]):
                try:
                    self._files.put([str(path) for path, _ in some], [f"{self._root}/{key}" for _, key in some])
                except FileExistsError:  # some stores write no object twice
                    for path, key in some:
                        with suppress(FileExistsError):
                            self._files.put_file(str(path), f"{self._root}/{key}")

    def download(self, objects: Sequence[tuple[str, Path]]) -> bool:
        """Fetch objects into files, whose folders are there; return False if one is missing."""
        for some in _batches(objects):
            with self._faults("read", some[0][0]):
                try:
                    self._files.get([f"{self._root}/{key}" for key, _ in some], [str(path) for _, path in some])
                except FileNotFoundError:
                    return False
        return True

    def copy(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Copy objects to other keys, on the store."""
        for some in _batches(pairs):
            with self._faults("write", some[0][1]):
                sources, targets = ([f"{self._root}/{key}" for key in keys] for keys in zip(*some, strict=True))
                self._files.copy(sources, targets, on_error="raise")

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are no fault."""
        for key in keys:
            with self._faults("delete", key), suppress(FileNotFoundError):
                self._files.rm_file(f"{self._root}/{key}")

    def _require_bucket(self) -> None:
        bucket = self._root.partition("/")[0]
        try:
            self._files.ls(bucket, detail=False)
        except FileNotFoundError:
            raise StoreError(f"output_dir: {self.url}: there is no bucket {bucket}; make it first") from None
        except PermissionError:  # a right for a part of a bucket only
            pass

    @contextmanager
    def _faults(self, what: str, key: str = "") -> Iterator[None]:
        """Raise whatever a store or its package raises as `StoreError`."""
        place = f"{self.url}/{key}" if key else self.url
        try:
            yield
        except StoreError:
            raise
        except PermissionError as error:
            raise StoreError(
                f"output_dir: cannot {what} {place}: {_words(error)}; expected the rights to list, read, write and "
                "delete objects"
            ) from None
        except Exception as error:  # each package has errors of its own
            raise StoreError(f"output_dir: cannot {what} {place}: {_words(error)}") from None


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def _words(error: BaseException) -> str:
    """Return an error as one line, without a password in an address."""
    return re.sub(r"//[^/@\s]+@", "//", " ".join(str(error).split())) or type(error).__name__
