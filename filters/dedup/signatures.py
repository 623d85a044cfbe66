"""The file of signatures: MinHash signatures or embeddings of rows, stored so that each is computed once.

The file has a header and one record of fixed size a row. Records are only appended, each with a checksum: records that
a crash left incomplete are detected and dropped when the file is opened. The file is a cache: if it is deleted, its
records are computed again from the shards.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from skillmill.data.errors import StoreError
from skillmill.data.files import store_errors, sync
from skillmill.filters.dedup.minhash import RECORD_BITS, text_hash

HEADER_BYTES = 256
CHUNK = 2**15
"""Number of records that are read at once: 18 MB with 128 permutations, 50 MB with embeddings of 384 numbers."""

Records = NDArray[np.void]
"""Records of a `SignatureFile`, (n,), of the type that `record_type` returns."""
RecordNumbers = NDArray[np.int64]
"""Numbers of records in their file, (n,), from 0."""


@dataclass(frozen=True, slots=True)
class RowTexts:
    """The texts of a row that are compared.

    `row`: the row's id as a number. `index`: the index of its cell. An empty text is not compared.
    """

    row: int
    index: int
    instruction: str
    response: str


Signer = Callable[[Sequence[RowTexts]], NDArray[np.uint16] | NDArray[np.float16]]
"""Returns the signatures of n rows, (n, 2, size): of instruction and response, zeros for a text not compared."""


def record_type(size: int, number: str = "<u2") -> np.dtype[np.void]:
    """Return the dtype of a record with signatures of `size` values of the dtype `number`.

    `crc`: the CRC-32 of the other fields. `plan`: the first 8 hex digits of the row's plan. `id`: the row's id, 16 hex
    digits. `index`: the index of its cell. `hashes`: `text_hash` of instruction and response, 0 for an empty text.
    `signatures`: those of instruction and response.
    """
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
    """The records of rows at `path`, numbered from 0.

    `header` states how the signatures are computed; a file with another header is replaced by an empty one. Missing
    signatures are computed by `signer`. Raises `StoreError` if the file cannot be read or written.
    """

    def __init__(self, path: Path, record: np.dtype[np.void], header: dict[str, Any], signer: Signer) -> None:
        self.path, self.type, self._signer = path, record, signer
        self.computed = 0
        """Number of rows whose signatures were computed because the file did not have them."""
        self._header = orjson.dumps(header, option=orjson.OPT_SORT_KEYS).ljust(HEADER_BYTES - 1) + b"\n"
        self._numbers: dict[int, int] = {}
        self._mapped: Records = np.empty(0, self.type)
        self._length = 0
        with store_errors(f"cannot write {path}"):
            self._file = path.open("a+b")
            self._recover()

    def __len__(self) -> int:
        return self._length

    def missing(self, rows: Iterable[int]) -> set[int]:
        """Return the ids in `rows` that have no record."""
        return {row for row in rows if row not in self._numbers}

    def numbers(self, rows: Iterable[int]) -> RecordNumbers:
        """Return the numbers of the latest records of rows, by id. Raises `KeyError` for a row without a record."""
        return np.array([self._numbers[row] for row in rows], np.int64)

    def records_of(self, texts: Sequence[RowTexts], plan: int) -> tuple[RecordNumbers, Records]:
        """Return the numbers and the records of n rows of a plan.

        Records that are missing, or that were made from other texts, are computed and appended.
        """
        pairs = [[text_hash(text) if text else 0 for text in (row.instruction, row.response)] for row in texts]
        hashes = np.array(pairs, np.uint64).reshape(len(texts), 2)
        numbers = np.array([self._numbers.get(row.row, -1) for row in texts], np.int64)
        records = np.zeros(len(texts), self.type)
        if (numbers >= 0).any():
            records[numbers >= 0] = self.read(numbers[numbers >= 0])
        outdated = np.flatnonzero((numbers < 0) | (records["hashes"] != hashes).any(axis=1))
        if len(outdated):
            rows = [texts[place] for place in outdated.tolist()]
            new = np.zeros(len(outdated), self.type)
            new["plan"], new["hashes"] = plan, hashes[outdated]
            new["id"] = np.array([row.row for row in rows], np.uint64)
            new["index"] = [row.index for row in rows]
            new["signatures"] = self._signer(rows)
            records[outdated] = new
            numbers[outdated] = self.append(new)
            self.computed += len(outdated)
        return numbers, records

    def append(self, records: Records) -> RecordNumbers:
        """Append the records and return their numbers; they survive the process, and a power cut only after `sync`."""
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

    def read(self, numbers: RecordNumbers | slice) -> Records:
        """Return the records with these numbers, read through a memory map."""
        if len(self._mapped) < self._length:
            with store_errors(f"cannot read {self.path}"):
                self._mapped = np.memmap(self.path, self.type, "r", HEADER_BYTES, (self._length,))
        return np.asarray(self._mapped[numbers])

    def sync(self) -> None:
        """Force the records to the disk, which must precede the shard with their rows."""
        with store_errors(f"cannot write {self.path}"):
            sync(self.path)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _recover(self) -> None:
        """Read the numbers of all intact records and truncate the file after them, or begin an empty file."""
        self._file.seek(0)
        if self._file.read(HEADER_BYTES) != self._header:
            self._file.truncate(0)
            self._file.write(self._header)
            self._file.flush()
            return
        self._length = (self.path.stat().st_size - HEADER_BYTES) // self.type.itemsize
        for start in range(0, self._length, CHUNK):
            records = self.read(slice(start, start + CHUNK))
            intact = checksums(records) == records["crc"]
            count = len(intact) if intact.all() else int(intact.argmin())
            self._numbers.update(zip(records["id"][:count].tolist(), range(start, start + count), strict=True))
            if count < len(intact):
                self._length = start + count
                break
        self._mapped = np.empty(0, self.type)  # the map has the length of the file before it is truncated
        self._file.truncate(HEADER_BYTES + self._length * self.type.itemsize)


def checksums(records: Records) -> NDArray[np.uint32]:
    """Return the CRC-32 of each record, (n,), over its bytes after the field `crc`."""
    size = records.dtype.itemsize
    raw = memoryview(records.tobytes())
    crcs = (zlib.crc32(raw[start + 4 : start + size]) for start in range(0, len(raw), size))
    return np.fromiter(crcs, np.uint32, len(records))
