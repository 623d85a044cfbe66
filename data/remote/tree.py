"""What an output directory holds: each file with its checksum and, on a store, the key of its object.

Files with a name that begins with a dot are left out: they are temporary, or belong to this machine. So are the files
that people write (`INBOUND`), and ranges, which are output directories of their own.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from skillmill.data.errors import StoreError
from skillmill.data.files import sha256_of, store_errors
from skillmill.data.store import MANIFESTS, Shard, ShardStore

INBOUND = ("overrides.jsonl", "taxonomy.yaml")
"""The files of the directory that people put there or edit. At the start of a command those on the store count."""
_NOT_SCANNED = {*MANIFESTS, "ranges"}
_SHARD_FIELDS = ("plan", "start", "stop", "cells", "rows", "accepted")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: the key of its object, its size in bytes and its checksum; of a shard also its manifest entry."""

    key: str
    bytes: int
    sha256: str
    shard: Shard | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the entry as plain data."""
        plain: dict[str, Any] = {"key": self.key, "bytes": self.bytes, "sha256": self.sha256}
        if self.shard is not None:
            about = asdict(self.shard)
            plain["shard"] = {name: about[name] for name in _SHARD_FIELDS}
        return plain

    @classmethod
    def from_json(cls, path: str, plain: dict[str, Any]) -> Self:
        """Return the entry of the file `path`. Raises `ValueError`, `KeyError` or `TypeError` if it is none."""
        size, checksum, about = int(plain["bytes"]), str(plain["sha256"]), plain.get("shard")
        shard = None if about is None else Shard(file=path, bytes=size, sha256=checksum, **about)
        if (shard is not None) != (path.partition("/")[0] in MANIFESTS):
            raise ValueError(path)
        return cls(_checked(str(plain["key"])), size, checksum, shard)


Tree = dict[str, Entry]
"""The files of a directory by their paths. The shards of each kind are in the order of their manifest."""


def checked_path(path: str) -> str:
    """Return the path of a file in a tree. Raises `ValueError` if it leads elsewhere or to a hidden file."""
    if any(part.startswith(".") for part in _checked(path).split("/")):
        raise ValueError(path)
    return path


class Checksums:
    """The checksums of files, each computed again only if size, time or inode of the file changed."""

    def __init__(self, root: Path, known: dict[str, list[Any]] | None = None) -> None:
        self._root = root
        self.known: dict[str, list[Any]] = dict(known or {})

    def of(self, path: str) -> str:
        """Return the SHA-256 checksum of a file as 64 hex digits."""
        mark, known = self._mark(path), self.known.get(path)
        if known is None or known[:3] != mark:
            known = self.known[path] = [*mark, sha256_of(self._root / path)]
        return str(known[3])

    def is_known(self, path: str) -> bool:
        """Return whether a file is as it was when its checksum was computed."""
        return self.known.get(path, [])[:3] == self._mark(path)

    def keep(self, paths: Sequence[str]) -> None:
        """Forget the other files."""
        self.known = {path: self.known[path] for path in paths if path in self.known}

    def _mark(self, path: str) -> list[int]:
        found = (self._root / path).stat()
        return [found.st_size, found.st_mtime_ns, found.st_ino]


def plain_files(root: Path) -> Iterator[str]:
    """Yield the paths of the files of a directory that are no shards, in order of name."""
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        is_root = here == Path()
        folders[:] = sorted(name for name in folders if not _is_left_out(name, is_root))
        for name in sorted(files):
            if name[0] != "." and not (is_root and name in (MANIFESTS["shards"], INBOUND[0])):
                yield str(here / name)


def tree_of(root: Path, stores: Sequence[ShardStore], before: Tree, number: int, checksums: Checksums) -> Tree:
    """Return what a directory holds. A file that `before` does not have gets a key that no other content has.

    Such a key has the number of the commit that is to list it first: as soon as that commit exists, no other writer
    makes a key with the number, so that an object of an earlier number that is not listed any more can be deleted.
    Raises `StoreError`.
    """
    tree: Tree = {}
    for shard in (shard for store in stores for shard in store.shards):
        old = before.get(shard.file)
        if old is None or old.shard != shard:
            key = f"{shard.file.removesuffix('.parquet')}-{number:012}-{shard.sha256[:16]}.parquet"
            old = Entry(key, shard.bytes, shard.sha256, shard)
        tree[shard.file] = old
    with store_errors(f"cannot read {root}"):
        for path in plain_files(root):
            old, checksum = before.get(path), checksums.of(path)
            if old is None or old.sha256 != checksum:
                old = Entry(f"objects/{path}-{number:012}-{checksum[:16]}", (root / path).stat().st_size, checksum)
            tree[path] = old
    return tree


def number_of(key: str) -> int | None:
    """Return the number of the commit that an object was made for, None if the key is not one of `tree_of`."""
    found = re.search(r"-(\d{12})-[0-9a-f]{16}(?:\.parquet)?$", key)
    return int(found[1]) if found else None


def damaged(url: str, path: str) -> StoreError:
    """Return the error about an object whose content is not what its commit says."""
    return StoreError(f"output_dir: {url}: the object of {path} is damaged: its checksum is not the one in its commit")


def _is_left_out(name: str, is_root: bool) -> bool:
    return name.startswith(".") or (is_root and name in _NOT_SCANNED)


def _checked(path: str) -> str:
    if not path or any(part in ("", ".", "..") for part in path.split("/")) or "\\" in path or "\0" in path:
        raise ValueError(path)
    return path
