"""Make the copy of an output directory what a commit lists."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from skillmill.data.errors import StoreError
from skillmill.data.files import recover_folder, sha256_of, store_errors, temporary_path, write_atomic
from skillmill.data.remote.commits import Commit
from skillmill.data.remote.object_store import ObjectStore
from skillmill.data.remote.tree import INBOUND, Checksums, Tree, damaged, plain_files
from skillmill.data.store import MANIFESTS, manifest_line


class Outdated(StoreError):
    """An object of the commit is gone: a later commit has superseded it."""


def pull(store: ObjectStore, commit: Commit, root: Path, checksums: Checksums, displaced: Path) -> list[str]:
    """Make `root` what a commit lists, and return the paths of files that were moved to `displaced`.

    These are files that were changed here since they were last published or pulled. Shards are not among them: the
    journal has their replies. Raises `Outdated`, and `StoreError` if an object is damaged.
    """
    missing, moved = list[str](), list[str]()
    with store_errors(f"cannot write {root}"):
        root.mkdir(parents=True, exist_ok=True)
        for path in list(plain_files(root)):
            wanted, is_as_published = commit.tree.get(path), checksums.is_known(path)
            if wanted is not None and checksums.of(path) == wanted.sha256:
                continue
            if is_as_published:
                (root / path).unlink()
            else:
                (displaced / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(root / path, displaced / path)
                moved.append(path)
        for path, entry in commit.tree.items():
            if not (root / path).exists() or (entry.shard and sha256_of(root / path) != entry.sha256):
                missing.append(path)
        _fetch(store, commit.tree, root, missing)
        _write_manifests(commit.tree, root)
    return moved


def repair(store: ObjectStore, commit: Commit, root: Path) -> None:
    """Fetch files that something else than skillmill has deleted from the copy, such as a tool that empties caches.

    Files that a command may have deleted since the commit are left alone: those in folders other than `plans`, and
    shards that the manifest does not list. Raises as `pull` does.
    """
    with store_errors(f"cannot read {root}"):
        manifests = {folder: _content(root / name) for folder, name in MANIFESTS.items()}
        missing = [
            path
            for path, entry in commit.tree.items()
            if not (root / path).exists()
            and (
                entry.sha256.encode() in manifests[path.partition("/")[0]]
                if entry.shard
                else path.startswith("plans/") or ("/" not in path and path != "refresh.json")
            )
        ]
    with store_errors(f"cannot write {root}"):
        _fetch(store, commit.tree, root, missing)
        for old in root.rglob(".*.old"):
            recover_folder(old.with_name(old.name[1:-4]))


def is_whole(commit: Commit, root: Path) -> bool:
    """Return whether a copy of a commit has the manifests of its shards."""
    folders = {path.partition("/")[0] for path, entry in commit.tree.items() if entry.shard}
    return root.is_dir() and all((root / MANIFESTS[folder]).exists() for folder in folders)


def fetch_inbound(store: ObjectStore, root: Path) -> None:
    """Take over the files that people put into the directory on the store or edit there. Raises `StoreError`."""
    for name in INBOUND:
        content, path = store.read(name), root / name
        if content is not None and content != _content(path):
            with store_errors(f"cannot write {path}"):
                path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, content)
        elif content is None and name == INBOUND[0]:  # a taxonomy that is not there may be one that was not copied yet
            with store_errors(f"cannot delete {path}"):
                path.unlink(missing_ok=True)


def _fetch(store: ObjectStore, tree: Tree, root: Path, paths: Sequence[str]) -> None:
    """Fetch files, each to a temporary path until its checksum is verified."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
    if not store.download([(tree[path].key, temporary_path(root / path)) for path in paths]):
        raise Outdated(f"output_dir: {store.url}: an object that the newest commit lists is missing")
    for path in paths:
        temporary = temporary_path(root / path)
        if sha256_of(temporary) != tree[path].sha256:
            temporary.unlink()
            raise damaged(store.url, path)
        temporary.replace(root / path)


def _write_manifests(tree: Tree, root: Path) -> None:
    """Write the manifests of the shards, and delete shards that no manifest lists."""
    for folder, name in MANIFESTS.items():
        listed = [entry.shard for path, entry in tree.items() if entry.shard and path.startswith(f"{folder}/")]
        if not listed and not (root / folder).exists():
            continue
        (root / folder).mkdir(exist_ok=True)
        _delete_others(root / folder, {root / shard.file for shard in listed})
        write_atomic(root / name, b"".join(map(manifest_line, listed)))


def _delete_others(folder: Path, kept: Iterable[Path]) -> None:
    for file in {*folder.glob("part-*.parquet")} - set(kept):
        file.unlink()


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
