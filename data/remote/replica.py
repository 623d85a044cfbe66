"""The copy on this machine of an output directory on a store: all commands work on it, and it is published by commits.

The copy counts if it is of the newest commit; what is not published yet is kept and published with the next commit.
Otherwise the store counts, and the copy is made what the newest commit lists.
"""

import logging
import os
import shutil
import socket
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import StoreError
from skillmill.data.files import store_errors, write_atomic
from skillmill.data.holder import Holder
from skillmill.data.remote.commits import (
    Commit,
    LostRace,
    Writer,
    newest_commit,
    read_commit,
    refuses_a_second_commit,
    write_commit,
)
from skillmill.data.remote.object_store import ObjectStore
from skillmill.data.remote.pull import Outdated, fetch_inbound, is_whole, pull, repair
from skillmill.data.remote.tree import Checksums, number_of, tree_of
from skillmill.data.remote.view import update_view
from skillmill.data.store import ShardStore, all_stores

log = logging.getLogger(__name__)

STATE = "remote.json"
"""The file in `work_dir` that says of which commit the copy is."""
DISPLACED = "displaced"
"""The folder in `work_dir` for files that were changed here while another machine went on."""
WRITER = "writer.json"
"""The object that names the process that writes to the directory. It is no lock, it is for people."""
TRIES = 5
"""How often a commit is read again whose objects a later one has superseded in the meantime."""


@dataclass(frozen=True, slots=True)
class _State:
    """Of which commit the copy is, by number and checksum, and the checksums of its files.

    `finished`: the number of the commit that this machine knows to have its plain copies.
    """

    number: int = 0
    sha256: str = ""
    files: dict[str, list[Any]] = field(default_factory=dict)
    finished: int = 0


class Replica:
    """The copy in the folder `root` of the directory at a URL, with its state in the folder `work`.

    Only the process that holds the lock of the copy may use it. Raises `StoreError`, and `ConfigError` if the package
    of the store is missing.
    """

    def __init__(self, url: str, root: Path, work: Path) -> None:
        self.url, self.root, self.work = url, root, work
        self._store = ObjectStore(url)
        self._me = Writer(uuid.uuid4().hex, socket.gethostname(), os.getpid())
        self._commit = Commit()
        self._checksums = Checksums(root)
        self._view: dict[str, str] | None = None
        self._is_checked = self._has_failed = self._was_another_here = False
        self._finished = 0

    def open(self, writes: bool) -> bool:
        """Bring the copy up to the newest commit; return whether the store had another one than the copy.

        With `writes`, also finish what the last writer was killed at, and find out whether all rights are there.
        """
        state = self._read_state()
        self._finished = state.finished
        for _ in range(TRIES):
            self._commit = newest_commit(self._store)
            try:
                is_pulled = self._bring_up(state)
                break
            except Outdated as error:
                outdated = error
        else:
            raise outdated
        fetch_inbound(self._store, self.root)
        self._write_state()
        if writes:
            self._announce()
            if self._finished != self._commit.number:
                self._finish()
        return is_pulled

    def publish(self, stores: Sequence[ShardStore] | None = None) -> None:
        """Store a commit if the copy differs from the newest one. `stores`: its shards; None reads their manifests.

        After an error further calls do nothing, so that the first one is what the command ends with.
        """
        if self._has_failed:
            return
        try:
            self._publish(stores or all_stores(self.root))
        except StoreError:
            self._has_failed = True
            raise

    def close(self) -> None:
        """Say that this process writes no more.

        If another machine may have been writing too, its late copies may have replaced ours: all are made once more.
        """
        if self._has_failed:
            return
        if self._was_another_here:
            update_view(self._store, self._commit.tree, {})
        self._store.delete([WRITER])

    def delete_unlisted(self, dry_run: bool) -> int:
        """Delete objects that no commit lists or will list: those of killed and of lost uploads. Return their bytes."""
        listed = {entry.key for entry in self._commit.tree.values()}
        found = {key: size for key, size in self._store.keys().items() if self._is_outdated(key) and key not in listed}
        if not dry_run:
            self._store.delete(found)
        return sum(found.values())

    def _bring_up(self, state: _State) -> bool:
        """Return whether the copy was made that of another commit."""
        commit = self._commit
        self._checksums = Checksums(self.root, state.files)
        if commit.number < state.number:
            self._displace_all()
        elif (commit.number, commit.sha256) == (state.number, state.sha256) and is_whole(commit, self.root):
            repair(self._store, commit, self.root)
            return False
        if commit.number == 0:
            return False
        displaced = self._displaced_folder()
        if moved := pull(self._store, commit, self.root, self._checksums, displaced):
            log.warning(
                f"warning: output_dir: {self.url} was changed by {commit.writer}; {len(moved)} files that were changed "
                f"here and not published are in {displaced} now, such as {moved[0]}"
            )
        return True

    def _displace_all(self) -> None:
        displaced = self._displaced_folder()
        with store_errors(f"cannot move {self.root}"):
            displaced.parent.mkdir(parents=True, exist_ok=True)
            if self.root.exists():
                shutil.move(self.root, displaced)
        self._checksums = Checksums(self.root)
        log.warning(
            f"warning: output_dir: {self.url} has fewer commits than before, as if it was emptied; what this machine "
            f"had of it is in {displaced} now"
        )

    def _displaced_folder(self) -> Path:
        taken = [int(path.name) for path in (self.work / DISPLACED).glob("*") if path.name.isdecimal()]
        return self.work / DISPLACED / f"{max(taken, default=0) + 1:04}"

    def _publish(self, stores: Sequence[ShardStore]) -> None:
        before = self._commit.tree
        tree = tree_of(self.root, stores, before, self._commit.number + 1, self._checksums)
        if tree == before:
            return
        new = [(self.root / path, entry.key) for path, entry in tree.items() if before.get(path) != entry]
        self._store.upload(new)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            self._commit = write_commit(self._store, self._commit, tree, self._me, now)
        except LostRace as lost:
            taken = read_commit(self._store, self._commit.number + 1)
            if taken.writer is None or taken.writer.id != self._me.id:
                raise LostRace(
                    f"{lost} ({taken.writer}), so that this one ends; its replies are kept in {self.work}, and the "
                    "same command goes on from there"
                ) from None
            self._commit = taken  # a call that was interrupted has written it
            self._publish(stores)
            return
        self._write_state()
        self._finish()

    def _finish(self) -> None:
        """Do what follows a commit: the plain copies, and deleting the objects that it does not list any more."""
        commit = self._commit
        if commit.number == 0:
            return
        self._require_conditional_writes()
        self._view = update_view(self._store, commit.tree, self._view)
        self._store.delete(key for key in commit.superseded if self._is_outdated(key))
        self._finished = commit.number
        self._write_state()

    def _is_outdated(self, key: str) -> bool:
        """Return whether a commit to come cannot list an object; `tree_of` says why."""
        number = number_of(key)
        return number is not None and number <= self._commit.number

    def _require_conditional_writes(self) -> None:
        if self._is_checked:
            return
        if not refuses_a_second_commit(self._store, self._commit):
            raise StoreError(
                f"output_dir: {self.url}: the store writes an object again in spite of If-None-Match, so that two runs "
                "could overwrite each other; expected a store with conditional writes"
            )
        self._is_checked = True

    def _announce(self) -> None:
        """Name this process on the store, which takes the rights to delete and to write."""
        if (writer := read_writer(self._store)) and not writer.is_here:
            self._was_another_here = True
            log.warning(
                f"warning: output_dir: {self.url} was last used by {writer}, which was killed or still runs. If it "
                "runs, stop it: of two runs one will end"
            )
        self._store.delete([WRITER])
        self._store.write(WRITER, Holder.me().as_json)

    def _read_state(self) -> _State:
        try:
            plain = orjson.loads((self.work / STATE).read_bytes())
            return _State(int(plain["number"]), str(plain["sha256"]), dict(plain["files"]), int(plain["finished"]))
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return _State()

    def _write_state(self) -> None:
        self._checksums.keep([path for path, entry in self._commit.tree.items() if entry.shard is None])
        state = _State(self._commit.number, self._commit.sha256, self._checksums.known, self._finished)
        write_atomic(self.work / STATE, orjson.dumps(asdict(state)))


def read_writer(store: ObjectStore) -> Holder | None:
    """Return the process that says that it writes to a directory, None if none does."""
    return Holder.read(store.read(WRITER) or b"")
