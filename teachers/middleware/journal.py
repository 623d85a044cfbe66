"""The reply journal: every reply is stored on arrival, so that no paid request is sent twice.

The file is SQLite in WAL mode with one commit for each reply. The commit reaches the operating system before the row
continues, so a killed process loses only the requests in flight; a power cut may lose the last few replies. Committing
eight replies at once would save 0.01 ms a reply and lose up to eight replies when the process is killed.

Replies are stored compressed, in order of arrival, several in one page. The file takes 0.8 times the payload for
replies of 1 KB or 4 KB (docs/benchmarks.md).

An entry has the plan that asked for it last, so that the replies of plans which are not kept can be deleted.
"""

import copy
import hashlib
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import StoreError
from skillmill.data.files import store_errors
from skillmill.teachers.base import Reply, Request, Teacher

LOCKED_S = 60.0
"""How long a reply may wait for other processes of the run to store theirs; each takes far less than a millisecond."""


class Journal:
    """Replies by key in one file. Only the processes of one run may use it at a time; the run's lock ensures that."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._plan: bytes | None = None
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
        return Reply(**orjson.loads(zlib.decompress(row[0]))) if row else None

    def __contains__(self, key: bytes) -> bool:
        """Return whether a reply is stored under a key. Raises `StoreError` if the file is damaged."""
        with self._errors():
            return _has_reply(self._connection, key)

    def put(self, key: bytes, reply: Reply) -> None:
        """Store a reply. Raises `StoreError` if the file cannot be written."""
        compressed = zlib.compress(orjson.dumps(reply), level=1)
        with self._errors():
            self._connection.execute(
                "INSERT OR REPLACE INTO compressed_replies (key, reply, plan) VALUES (?, ?, ?)",
                (key, compressed, self._plan),
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


class Journalled:
    """A teacher that returns the reply in the journal, and sends only other requests to `teacher`."""

    def __init__(self, teacher: Teacher, journal: Journal, extra: Mapping[str, Any]) -> None:
        self.name = teacher.name
        self._teacher, self._journal, self._extra = teacher, journal, extra

    async def chat(self, request: Request) -> Reply:
        """Return the stored reply, or a new one, which is stored first. Raises as `teacher` does."""
        key = request_key(self.name, self._extra, request)
        stored = self._journal.get(key)
        if stored is not None:
            return stored
        reply = await self._teacher.chat(request)
        self._journal.put(key, reply)  # no await before it: no other request takes the slot before the commit
        return reply
