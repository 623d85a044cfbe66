"""The file of signatures: what MinHash or an embedding model made of each row, on the disk, so that it is made once.

It only ever grows, a record of fixed size a row, each with a checksum: what a crash left half written is recognised and
dropped when the file is opened. It is a cache: without it, its records are made again from the shards.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from skillmill.data.errors import StoreError
from skillmill.data.files import store_errors, sync
from skillmill.filters.dedup.minhash import RECORD_BITS, text_hash

HEADER_BYTES = 256
CHUNK = 2**15
"""Records that are looked at at once: 18 MB of them with 128 permutations, 50 MB of embeddings of 384 numbers."""


@dataclass(frozen=True, slots=True)
class Text:
    """What is compared of a row. `row` is its id as a number; an empty text is compared with none."""

    row: int
    index: int
    instruction: str
    response: str


Signer = Callable[[Sequence[Text]], np.ndarray]
"""The signatures of rows, (n, 2, size): of instruction and of response, zeros where a text is not compared."""


def record_type(size: int, number: str = "<u2") -> np.dtype[Any]:
    """`plan`: its first 8 hex digits. `id`: the row's 16. `hashes` and `signatures`: of instruction and response,
    `size` values of the type `number` each."""
    return np.dtype(
        [
            ("crc", "<u4"),
            ("plan", "<u4"),
            ("id", "<u8"),
            ("index", "<i8"),
            ("hashes", "<u8", (2,)),
            ("signatures", number, (2, size)),
        ]
    )


class SignatureFile:
    """The records of rows under `path`, numbered from 0. One with another header than `about` is begun anew.

    Raises `StoreError` where the disk does not play along.
    """

    def __init__(self, path: Path, record: np.dtype[Any], about: dict[str, Any], sign: Signer) -> None:
        self.path, self.type, self._sign = path, record, sign
        self.made = 0
        """Signatures that were made and not found on the disk, in rows."""
        self._header = orjson.dumps(about, option=orjson.OPT_SORT_KEYS).ljust(HEADER_BYTES - 1) + b"\n"
        self._numbers: dict[int, int] = {}
        self._mapped: np.ndarray = np.empty(0, self.type)
        self._length = 0
        with store_errors(f"cannot write {path}"):
            self._file = path.open("a+b")
            self._recover()

    def __len__(self) -> int:
        return self._length

    def number(self, row: int) -> int | None:
        """The number of the latest record of the row with this id, None where there is none."""
        return self._numbers.get(row)

    def unknown(self, rows: Iterable[int]) -> set[int]:
        """Those of the rows, by id, that have no record."""
        return {row for row in rows if self.number(row) is None}

    def signed(self, texts: Sequence[Text], plan: int) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the rows' records, and those; one that the file has not, or has of other texts, is written."""
        pairs = [[text_hash(text) if text else 0 for text in (row.instruction, row.response)] for row in texts]
        hashes = np.array(pairs, np.uint64).reshape(len(texts), 2)
        known = [self.number(row.row) for row in texts]
        numbers = np.array([-1 if number is None else number for number in known], np.int64)
        records = np.zeros(len(texts), self.type)
        if (numbers >= 0).any():
            records[numbers >= 0] = self.records(numbers[numbers >= 0])
        new = np.flatnonzero((numbers < 0) | (records["hashes"] != hashes).any(axis=1))
        if len(new):
            signed = [texts[place] for place in new.tolist()]
            made = np.zeros(len(new), self.type)
            made["plan"], made["hashes"] = plan, hashes[new]
            made["id"] = np.array([text.row for text in signed], np.uint64)
            made["index"] = [text.index for text in signed]
            made["signatures"] = self._sign(signed)
            records[new] = made
            numbers[new] = self.append(made)
            self.made += len(new)
        return numbers, records

    def append(self, records: np.ndarray) -> np.ndarray:
        """Write the records behind the others and return their numbers. They outlive the process; see `sync`."""
        numbers = np.arange(self._length, self._length + len(records))
        if self._length + len(records) > 2**RECORD_BITS:
            raise StoreError(f"{self.path} is full at {2**RECORD_BITS:,} rows: delete it, it is made again")
        records = records.copy()
        records["crc"] = checksums(records)
        with store_errors(f"cannot write {self.path}"):
            self._file.write(records.tobytes())
            self._file.flush()
        self._length += len(records)
        self._numbers.update(zip(records["id"].tolist(), numbers.tolist(), strict=True))
        return numbers

    def records(self, numbers: Any) -> np.ndarray:
        """The records of these numbers (or a slice), read from the disk's cache."""
        if len(self._mapped) < self._length:
            with store_errors(f"cannot read {self.path}"):
                self._mapped = np.memmap(self.path, self.type, "r", HEADER_BYTES, (self._length,))
        return np.asarray(self._mapped[numbers])

    def sync(self) -> None:
        """Force what was written to the disk: before the shard that holds the rows."""
        with store_errors(f"cannot write {self.path}"):
            sync(self.path)

    def close(self) -> None:
        self._file.close()

    def _recover(self) -> None:
        self._file.seek(0)
        if self._file.read(HEADER_BYTES) != self._header:
            self._file.truncate(0)
            self._file.write(self._header)
            self._file.flush()
            return
        self._length = (self.path.stat().st_size - HEADER_BYTES) // self.type.itemsize
        for start in range(0, self._length, CHUNK):
            records = self.records(slice(start, start + CHUNK))
            good = checksums(records) == records["crc"]
            count = len(good) if good.all() else int(good.argmin())
            self._numbers.update(zip(records["id"][:count].tolist(), range(start, start + count), strict=True))
            if count < len(good):
                self._length = start + count
                break
        self._mapped = np.empty(0, self.type)  # of the file as it was
        self._file.truncate(HEADER_BYTES + self._length * self.type.itemsize)


def checksums(records: np.ndarray) -> np.ndarray:
    """The CRC-32 of each record without its first field."""
    size = records.dtype.itemsize
    raw = memoryview(records.tobytes())
    found = (zlib.crc32(raw[start + 4 : start + size]) for start in range(0, len(raw), size))
    return np.fromiter(found, np.uint32, len(records))
