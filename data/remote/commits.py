"""The commits of an output directory on a store: `manifest/<number, 12 digits>.json`, each written once.

A commit is written only if there is none with its number yet, so that of two writers one loses. It lists all files, or
those that changed since the commit `base`: a commit for each shard would otherwise take space that grows with the
square of the number of shards.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from skillmill.data.errors import StoreError
from skillmill.data.remote.object_store import ObjectStore
from skillmill.data.remote.tree import Entry, Tree, checked_path

FOLDER = "manifest"
CHANGES = 100
"""A commit with more changes since its base lists all files."""


@dataclass(frozen=True, slots=True)
class Writer:
    """The process that wrote a commit: `id` is unique, `host` and `process` are for people."""

    id: str
    host: str
    process: int

    def __str__(self) -> str:
        return f"process {self.process} on host {self.host}"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its number from 1, the checksum of its object, its files and its writer.

    `time`: ISO 8601 in UTC. `superseded`: the keys of the commit before that it lists no more. `base`, `base_tree`: the
    commit that the next one can list its changes against. The commit with number 0 is that of an empty directory.
    """

    number: int = 0
    sha256: str = ""
    tree: Tree = field(default_factory=dict)
    writer: Writer | None = None
    time: str = ""
    superseded: tuple[str, ...] = ()
    base: int = 0
    base_tree: Tree = field(default_factory=dict)


class LostRace(StoreError):
    """Another writer has stored a commit meanwhile."""


def newest_commit(store: ObjectStore) -> Commit:
    """Return the newest commit. Raises `StoreError` if the store cannot be read or the commit is none."""
    numbers = [int(name[:12]) for name in store.names(FOLDER) if re.fullmatch(r"\d{12}\.json", name)]
    return read_commit(store, max(numbers)) if numbers else Commit()


def read_commit(store: ObjectStore, number: int) -> Commit:
    """Return a commit. Raises `StoreError` if there is none or it is damaged."""
    content = store.read(_key(number))
    if content is None:
        raise StoreError(f"output_dir: {store.url}/{_key(number)} is missing, but a later one lists it")
    try:
        return _parsed(store, number, content)
    except (orjson.JSONDecodeError, ValueError, KeyError, TypeError, AttributeError):
        raise StoreError(f"output_dir: {store.url}/{_key(number)} is not a commit of skillmill") from None


def write_commit(store: ObjectStore, before: Commit, tree: Tree, writer: Writer, time: str) -> Commit:
    """Write the commit after `before` and return it.

    Raises `LostRace` if another writer has taken its number.
    """
    number, now = before.number + 1, {entry.key for entry in tree.values()}
    superseded = [entry.key for entry in before.tree.values() if entry.key not in now]
    changed = {path: entry for path, entry in tree.items() if before.base_tree.get(path) != entry}
    removed = [path for path in before.base_tree if path not in tree]
    is_whole = not before.base or len(changed) + len(removed) > CHANGES
    content = {
        "number": number,
        "parent": before.sha256 or None,
        "base": None if is_whole else before.base,
        "writer": {"id": writer.id, "host": writer.host, "process": writer.process},
        "time": time,
        "files": {path: entry.as_json() for path, entry in (tree if is_whole else changed).items()},
        "removed": [] if is_whole else removed,
        "superseded": superseded,
    }
    body = orjson.dumps(content, option=orjson.OPT_INDENT_2)
    if not store.create(_key(number), body) and store.read(_key(number)) != body:
        raise LostRace(f"output_dir: {store.url}: another run has stored commit {number:012} meanwhile")
    base, base_tree = (number, tree) if is_whole else (before.base, before.base_tree)
    return Commit(number, _sha256(body), tree, writer, time, tuple(superseded), base, base_tree)


def refuses_a_second_commit(store: ObjectStore, commit: Commit) -> bool:
    """Return whether the store keeps a commit from being written twice; a store that does not writes the same bytes."""
    body = store.read(_key(commit.number))
    return body is None or not store.create(_key(commit.number), body)


def _parsed(store: ObjectStore, number: int, content: bytes) -> Commit:
    plain: dict[str, Any] = orjson.loads(content)
    if plain["number"] != number:
        raise ValueError(number)
    listed = {checked_path(path): Entry.from_json(path, entry) for path, entry in plain["files"].items()}
    base, base_tree, tree = number, listed, listed
    if plain["base"] is not None:
        base = int(plain["base"])
        base_tree = read_commit(store, base).tree
        removed = {*plain["removed"], *listed}
        tree = {path: entry for path, entry in base_tree.items() if path not in removed} | listed
    superseded = tuple(str(key) for key in plain["superseded"])
    return Commit(
        number, _sha256(content), tree, Writer(**plain["writer"]), str(plain["time"]), superseded, base, base_tree
    )


def _key(number: int) -> str:
    return f"{FOLDER}/{number:012}.json"


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
