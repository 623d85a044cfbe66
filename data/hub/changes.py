"""What a publication changes: the files of a dataset folder compared with those of a repository."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub.hf_api import RepoFile

from skillmill.data.files import sha256_of


@dataclass(frozen=True, slots=True)
class Changes:
    """Paths in the repository, sorted: those a commit adds, replaces and deletes, and those it leaves unchanged.

    `size`: the bytes of the files that a commit adds or replaces.
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    deleted: tuple[str, ...]
    unchanged: tuple[str, ...]
    size: int

    @property
    def is_empty(self) -> bool:
        """Whether the repository has exactly the files of the folder."""
        return not (self.new or self.changed or self.deleted)

    def __str__(self) -> str:
        return (
            f"{len(self.new)} new, {len(self.changed)} changed, {len(self.deleted)} deleted and "
            f"{len(self.unchanged)} unchanged files, {self.size:,} bytes to send"
        )


def folder_files(folder: Path) -> dict[str, Path]:
    """Return the files of a dataset folder by their path in the repository; hidden files are left out."""
    found = {file.relative_to(folder): file for file in sorted(folder.rglob("*")) if file.is_file()}
    return {path.as_posix(): file for path, file in found.items() if not any(p.startswith(".") for p in path.parts)}


def compare(files: Mapping[str, Path], remote: Mapping[str, RepoFile], own_folders: frozenset[str]) -> Changes:
    """Return the changes that make a repository hold `files`.

    Args:
        files: The files of the dataset folder by path in the repository.
        remote: The files of the repository by path.
        own_folders: Folders at the top of the repository; their other files are deleted. All other files stay.
    """
    new = [path for path in files if path not in remote]
    common = [path for path in files if path in remote]
    changed = [path for path in common if not _is_same(files[path], remote[path])]
    owned = own_folders | {path.split("/")[0] for path in files if "/" in path}
    deleted = [path for path in remote if path not in files and "/" in path and path.split("/")[0] in owned]
    return Changes(
        new=tuple(sorted(new)),
        changed=tuple(sorted(changed)),
        deleted=tuple(sorted(deleted)),
        unchanged=tuple(sorted(set(common) - set(changed))),
        size=sum(files[path].stat().st_size for path in (*new, *changed)),
    )


def _is_same(file: Path, remote: RepoFile) -> bool:
    """Return whether a file and one of the repository have the same content.

    Only files in large file storage have a SHA-256, the others have the id that git gives them.
    """
    if file.stat().st_size != remote.size:
        return False
    if remote.lfs is not None:
        return sha256_of(file) == remote.lfs.sha256
    return _git_blob_id(file) == remote.blob_id


def _git_blob_id(file: Path) -> str:
    """Return the id that git gives to the content of a file: the SHA-1 of a header and the content."""
    content = file.read_bytes()  # files outside of large file storage are small
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
