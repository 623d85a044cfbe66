"""The reply journal: every reply is stored on arrival, so that no paid request is sent twice.

The file is SQLite in WAL mode. While replies come one after another within `TOGETHER_S`, those of one turn of the event
loop are committed together. The commit reaches the operating system before a reply's slot is free and before its row
continues, so a killed process loses only the requests in flight; a power cut may lose the last few replies.

Replies are stored compressed, in order of arrival, several in one page. The file takes 0.8 times the payload for
replies of 1 KB or 4 KB (docs/benchmarks.md).

An entry has the plan that asked for it last, so that the replies of plans which are not kept can be deleted.
"""

import asyncio
import copy
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from isal import isal_zlib

from skillmill.data.errors import StoreError
from skillmill.data.files import store_errors
from skillmill.data.futures import settle
from skillmill.teachers.base import Reply, Request, Teacher

COMPRESSION = 1
"""The level of ISA-L, whose streams zlib reads. It makes replies as small as level 1 of zlib, in 0.3 of the time."""

TOGETHER_S = 0.001
"""Seconds since the last reply within which a reply waits for others: a commit then costs more than a turn of the loop.
"""

Entry = tuple[bytes, bytes, bytes | None]
"""Key, compressed reply and plan."""

LOCKED_S = 60.0
"""How long a reply may wait for other processes of the run to store theirs; each takes far less than a millisecond."""


class Journal:
    """Replies by key in one file. Only the processes of one run may use it at a time; the run's lock ensures that."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._plan: bytes | None = None
        self._last = 0.0
        self._coming: list[tuple[Entry, asyncio.Future[None]]] = []  # shared by the journals of all plans
        with self._errors():
            with store_errors(f"cannot write {path.parent}"):
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, LOCKED_S, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA page_size=8192")
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            # The table has row ids, so replies are appended and only the small index of keys is in random order.
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS compressed_replies (key BLOB PRIMARY KEY, reply BLOB NOT NULL, plan BLOB)"
            )
            columns = [row[1] for row in self._connection.execute("PRAGMA table_info(compressed_replies)")]
            if "plan" not in columns:  # a journal of an earlier version of skillmill
                self._connection.execute("ALTER TABLE compressed_replies ADD COLUMN plan BLOB")

    def of_plan(self, fingerprint: str) -> "Journal":
        """Return the same journal for the requests of one plan, given by its fingerprint in hex digits."""
        journal = copy.copy(self)
        journal._plan = bytes.fromhex(fingerprint)
        return journal

    def get(self, key: bytes) -> Reply | None:
        """Return the reply stored under a key, None if there is none. Raises `StoreError` if the file is damaged."""
        with self._errors():
            row = self._connection.execute(
                "SELECT reply, plan FROM compressed_replies WHERE key = ?", (key,)
            ).fetchone()
            if row and self._plan not in (None, row[1]):
                self._connection.execute("UPDATE compressed_replies SET plan = ? WHERE key = ?", (self._plan, key))
        return Reply(**orjson.loads(isal_zlib.decompress(row[0]))) if row else None

    def __contains__(self, key: bytes) -> bool:
        """Return whether a reply is stored under a key. Raises `StoreError` if the file is damaged."""
        with self._errors():
            return _has_reply(self._connection, key)

    def put(self, key: bytes, reply: Reply) -> None:
        """Store a reply. Raises `StoreError` if the file cannot be written."""
        self._insert([self._entry(key, reply)])

    async def store(self, key: bytes, reply: Reply) -> None:
        """Store a reply, perhaps in one commit with others of this turn of the event loop. Raises as `put` does."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        alone, self._last = now - self._last > TOGETHER_S, now
        if alone and not self._coming:
            self.put(key, reply)
            return
        committed = loop.create_future()
        self._coming.append((self._entry(key, reply), committed))
        if len(self._coming) == 1:
            loop.call_soon(self._commit)
        await committed

    def _commit(self) -> None:
        coming = self._coming[:]
        self._coming.clear()
        error: StoreError | None = None
        try:
            self._insert([entry for entry, _ in coming])
        except StoreError as failure:
            error = failure
        for _, committed in coming:
            settle(committed, error)

    def _entry(self, key: bytes, reply: Reply) -> Entry:
        return key, isal_zlib.compress(orjson.dumps(reply), COMPRESSION), self._plan

    def _insert(self, entries: Sequence[Entry]) -> None:
        with self._errors(), self._connection:
            if len(entries) > 1:
                self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT OR REPLACE INTO compressed_replies (key, reply, plan) VALUES (?, ?, ?)", entries
            )

    def delete_others(self, plans: Iterable[str], dry_run: bool = False) -> tuple[int, int]:
        """Delete the replies of all plans but these; return how many, and their size in bytes.

        Replies that no plan asked for, such as those of an extraction, stay. `dry_run` deletes nothing.
        """
        kept = [bytes.fromhex(plan) for plan in plans]
        others = f"FROM compressed_replies WHERE plan NOT IN ({', '.join('?' * len(kept))})"  # false for NULL
        with self._errors():
            counts = f"SELECT count(*), coalesce(sum(length(key) + length(reply) + length(plan)), 0) {others}"
            replies, size = self._connection.execute(counts, kept).fetchone()
            if replies and not dry_run:
                self._connection.execute(f"DELETE {others}", kept)
                self._connection.execute("VACUUM")
        return replies, size

    def __len__(self) -> int:
        with self._errors():
            return int(self._connection.execute("SELECT count(*) FROM compressed_replies").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._errors():
            self._connection.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # such as a full disk or a read-only file
            raise StoreError(f"reply journal {self.path}: {error}") from None
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"reply journal {self.path} is damaged ({error}); delete it and run again: rows are kept, "
                "and only replies that are in no row yet are asked for once more"
            ) from None


def unanswered(path: Path, keys: Iterable[bytes]) -> list[bytes]:
    """Return the keys without a reply in a journal, which another process may be writing; all if there is none.

    Raises `StoreError` if the file is damaged.
    """
    if not path.exists():
        return list(keys)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return [key for key in keys if not _has_reply(connection, key)]
    except sqlite3.DatabaseError as error:
        raise StoreError(f"cannot read the reply journal {path}: {error}") from None


def _has_reply(connection: sqlite3.Connection, key: bytes) -> bool:
    return connection.execute("SELECT 1 FROM compressed_replies WHERE key = ?", (key,)).fetchone() is not None


def request_key(model: str, extra: Mapping[str, Any], request: Request) -> bytes:
    """Return a hash of 16 bytes over everything that changes the reply, the seed included, and nothing else.

    `extra` are the fields that the configuration adds to every request body.
    """
    content = {
        "model": model,
        "extra": extra,
        "messages": request.messages,
        "sampling": request.sampling.parameters,
        "json_schema": request.json_schema,
        "seed": request.seed,
    }
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()[:16]


class Stored:
    """A teacher whose replies are in the journal when it returns them. Requests have the `key` that `Journalled` sets.

    It is inside the layer that holds a request's slot. With `at_once`, a reply is never stored together with others:
    nothing else runs between its arrival and the commit.
    """

    def __init__(self, teacher: Teacher, journal: Journal, at_once: bool = False) -> None:
        self.name = teacher.name
        self._teacher, self._journal, self._at_once = teacher, journal, at_once

    async def chat(self, request: Request) -> Reply:
        """Return a reply after it has been stored. Raises as `teacher` does, and `StoreError` as `Journal` does."""
        reply = await self._teacher.chat(request)
        if self._at_once:
            self._journal.put(request.key, reply)
        else:
            await self._journal.store(request.key, reply)
        return reply


class Journalled:
    """A teacher that returns the reply in the journal, and sends only other requests to `teacher`.

    The replies of `teacher` come from a `Stored`.
    """

    def __init__(self, teacher: Teacher, journal: Journal, extra: Mapping[str, Any]) -> None:
        self.name = teacher.name
        self._teacher, self._journal, self._extra = teacher, journal, extra

    async def chat(self, request: Request) -> Reply:
        """Return the stored reply, or a new one. Raises as `teacher` does."""
        key = request_key(self.name, self._extra, request)
        stored = self._journal.get(key)
        return stored if stored is not None else await self._teacher.chat(replace(request, key=key))
