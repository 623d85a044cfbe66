"""The reply journal: every reply is kept as it arrives, so that nothing paid for is asked twice.

SQLite in WAL mode, one commit a reply: it reaches the operating system before the row goes on, so a killed
process costs only what was in flight; a power cut may cost the last moments, and nothing else. A group of eight
replies a commit would save 0.01 ms a reply, and lose a group at a kill.

Replies lie compressed, in the order they came, in pages that hold several: 0.8 times the payload on the disk where
answers have 1 KB or 4 KB (docs/benchmarks.md).
"""

import hashlib
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import StoreError
from skillmill.data.files import store_errors
from skillmill.teachers.base import Reply, Request, Teacher


class Journal:
    """Replies by key in one file. Not for several processes at once: the run's lock sees to that."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._errors():
            with store_errors(f"cannot write {path.parent}"):
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA page_size=8192")
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            # With row ids: rows are appended, and only the small index of keys is in random order.
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS compressed_replies (key BLOB PRIMARY KEY, reply BLOB NOT NULL)"
            )

    def get(self, key: bytes) -> Reply | None:
        with self._errors():
            found = self._connection.execute("SELECT reply FROM compressed_replies WHERE key = ?", (key,)).fetchone()
        return Reply(**orjson.loads(zlib.decompress(found[0]))) if found else None

    def put(self, key: bytes, reply: Reply) -> None:
        compressed = zlib.compress(orjson.dumps(reply), level=1)
        with self._errors():
            self._connection.execute("INSERT OR REPLACE INTO compressed_replies VALUES (?, ?)", (key, compressed))

    def __len__(self) -> int:
        with self._errors():
            return int(self._connection.execute("SELECT count(*) FROM compressed_replies").fetchone()[0])

    def close(self) -> None:
        with self._errors():
            self._connection.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # a full disk, a file that may not be written
            raise StoreError(f"reply journal {self.path}: {error}") from None
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"reply journal {self.path} is damaged ({error}); delete it and run again: rows are kept, "
                "and only replies that are in no row yet are asked for once more"
            ) from None


def request_key(model: str, extra: Mapping[str, Any], request: Request) -> bytes:
    """16 bytes over what changes the answer and nothing else. The request's seed is part of it.

    `extra` is what the configuration adds to every request body.
    """
    content = {
        "model": model,
        "extra": extra,
        "messages": request.messages,
        "sampling": request.sampling.model_dump(),
        "json_schema": request.json_schema,
        "seed": request.seed,
    }
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()[:16]


class Journalled:
    """A teacher that answers from the journal where it can, and asks `teacher` where it must."""

    def __init__(self, teacher: Teacher, journal: Journal, extra: Mapping[str, Any]) -> None:
        self.name = teacher.name
        self._teacher, self._journal, self._extra = teacher, journal, extra

    async def chat(self, request: Request) -> Reply:
        key = request_key(self.name, self._extra, request)
        known = self._journal.get(key)
        if known is not None:
            return known
        reply = _encodable(await self._teacher.chat(request))
        self._journal.put(key, reply)  # no await in between: the slot is not taken before this is written
        return reply


def _encodable(reply: Reply) -> Reply:
    """Lone surrogates cannot be written as UTF-8: they become "?" before anything else sees them."""
    text, thinking = _utf8(reply.text), _utf8(reply.thinking)
    if (text, thinking) == (reply.text, reply.thinking):
        return reply
    return replace(reply, text=text, thinking=thinking)


def _utf8(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
