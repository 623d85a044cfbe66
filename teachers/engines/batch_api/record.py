"""What `work_dir` holds of the batches that are not finished: one record and one file of requests for each.

A record is written before its batch is uploaded, so that a process that is killed at any moment leaves enough to find
the batch again. `BatchFolder` reads and writes records; it knows nothing of the provider.
"""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import StoreError
from skillmill.data.files import store_errors, write_atomic
from skillmill.teachers.engines.batch_api.lines import read_keys


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One batch. `token` names it here and in the provider's metadata; `created` is in seconds since 1970.

    `server` is the address without credentials, `dialect` the smallest dialect of its requests (`Dialect.as_dict`).
    `file_id` and `batch_id` are the provider's names, "" before it gave them: a record with a file and no batch may
    have been submitted. `left` are the keys, in hex, whose answers nobody has taken; None means all of them. `outputs`
    are the provider's names for the files with answers, once the batch has ended.
    """

    token: str
    server: str
    model: str
    requests: int
    created: float
    dialect: dict[str, Any]
    file_id: str = ""
    batch_id: str = ""
    left: list[str] | None = None
    outputs: list[str] = field(default_factory=list)


class BatchFolder:
    """The folder of one model's batches. Only one process may use it at a time; `hold_folder` ensures that."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def requests(self, token: str) -> Path:
        """Return the path of a batch's requests."""
        return self.path / f"{token}.jsonl"

    def answers(self, token: str) -> Path:
        """Return the path of a batch's output file, once it is downloaded."""
        return self.path / f"{token}.output.jsonl"

    def errors(self, token: str) -> Path:
        """Return the path of a batch's error file, once it is downloaded."""
        return self.path / f"{token}.errors.jsonl"

    def keys(self, record: BatchRecord) -> list[bytes]:
        """Return the keys of a batch's requests whose answers nobody has taken. Raises `StoreError`."""
        return read_keys(self.requests(record.token)) if record.left is None else list(map(bytes.fromhex, record.left))

    def record(self, token: str) -> Path:
        """Return the path of a batch's record."""
        return self.path / f"{token}.json"

    def save(self, record: BatchRecord) -> None:
        """Write a record and flush it to the disk. Raises `StoreError`."""
        write_atomic(self.record(record.token), orjson.dumps(asdict(record)))

    def delete(self, token: str) -> None:
        """Delete a batch's files, the record first. Raises `StoreError`."""
        with store_errors(f"cannot write {self.path}"):
            for path in (self.record(token), self.requests(token), self.answers(token), self.errors(token)):
                path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Delete the files of batches without a record: those that were being gathered when a process died."""
        recorded = {path.stem for path in self.path.glob("*.json")}
        with store_errors(f"cannot write {self.path}"):
            for path in (*self.path.glob("*.jsonl"), *self.path.glob(".*.tmp")):
                if path.name.partition(".")[0] not in recorded:
                    path.unlink()

    def records(self) -> list[BatchRecord]:
        """Return the records, the oldest first. Raises `StoreError` for one that cannot be read."""
        return sorted(read_records(self.path), key=lambda record: record.created)


def read_records(folder: Path) -> Iterator[BatchRecord]:
    """Yield the records of a folder in no particular order. Raises `StoreError` for one that cannot be read."""
    for path in folder.glob("*.json"):
        try:
            yield BatchRecord(**orjson.loads(path.read_bytes()))
        except (OSError, orjson.JSONDecodeError, TypeError):
            raise StoreError(f"{path} is not the record of a batch: delete it to ask for its requests again") from None


@contextmanager
def hold_folder(root: Path, section: str) -> Iterator[BatchFolder]:
    """Hold the folder for the batches of a section of the configuration for the duration of the block.

    If this process has opened the section's model already, the folder is another one, numbered; the next opening takes
    over what a killed process left there. Raises `StoreError`.
    """
    with ExitStack() as held:
        for number in count(1):
            path = root / (section if number == 1 else f"{section}-{number}")
            if _held(path, held):
                break
        folder = BatchFolder(path)
        with store_errors(f"cannot write {path}"):
            for other in root.glob(f"{section}-*"):
                if other != path and _held(other, held):
                    for file in sorted(other.glob("skillmill-*"), reverse=True):  # requests before their record
                        file.replace(path / file.name)
        folder.tidy()
        yield folder


def _held(path: Path, held: ExitStack) -> bool:
    """Return whether the lock of a folder, which is made if it is not there, is free, and hold it in `held`."""
    with store_errors(f"cannot write {path}"):
        path.mkdir(parents=True, exist_ok=True)
        file = held.enter_context((path / "lock").open("a"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
