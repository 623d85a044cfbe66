"""The files of an export. Old files keep their names and bytes when a version is added.

A file has rows of one configuration, one split, one version and one plan. Its name is
`<configuration>/<split>-v<version, 4 digits>-<plan, 8 digits>-<number>.parquet`, or `.jsonl` in the folders of further
formats.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import orjson
import pyarrow as pa

from skillmill.data.export.splits import SPLITS
from skillmill.data.parquet import parquet_writer

ROWS_PER_FILE = 100_000
"""A file with so many rows gets no further row group, so that files can be loaded in parallel."""
EMPTY = "train-00000.parquet"
"""The file of a configuration without rows."""

SchemaOf = Callable[[str, int], pa.Schema]
"""Returns the schema of the Parquet files of a configuration and a version."""
Rows = Sequence[Mapping[str, object]]


@dataclass
class Contents:
    """What the files of a configuration hold.

    `schema`: that of all files together. `rows`, `bytes`: rows, and their bytes in memory, by split. `file_bytes`: the
    size of all files.
    """

    schema: pa.Schema
    rows: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    file_bytes: int = 0


class _RowFile(Protocol):
    """A file that rows are written to."""

    def write(self, rows: Rows) -> int:
        """Write rows; return their size in memory in bytes."""

    def close(self) -> None:
        """Complete the file."""


class _ParquetFile:
    """A Parquet file with content-defined chunks; each call writes a row group."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = parquet_writer(path, schema, use_content_defined_chunking=True)

    def write(self, rows: Rows) -> int:
        table = pa.Table.from_pylist(rows, schema=self._writer.schema)
        self._writer.write_table(table)
        return int(table.nbytes)

    def close(self) -> None:
        self._writer.close()


class _JsonLinesFile:
    """A JSON Lines file in UTF-8."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, rows: Rows) -> int:
        return self._file.write(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))

    def close(self) -> None:
        self._file.close()


class ExportFiles:
    """Writes the rows of an export into its files. Rows of one version and plan come one after another.

    Args:
        folder: The folder of the export.
        configurations: The configurations, whose files are Parquet files. Any other folder has JSON Lines files.
        schema_of: The schemas of the Parquet files.
        newest: The number of the newest version, whose schemas have all columns.
    """

    def __init__(self, folder: Path, configurations: Iterable[str], schema_of: SchemaOf, newest: int) -> None:
        self._folder, self._schema_of, self._newest = folder, schema_of, newest
        self._configurations = list(configurations)
        self._open: dict[tuple[str, str], _RowFile] = {}
        self._in_part: Counter[tuple[str, str]] = Counter()
        self._rows: Counter[tuple[str, str]] = Counter()
        self._bytes: Counter[tuple[str, str]] = Counter()
        self._part: tuple[int, str] | None = None
        for configuration in self._configurations:
            (folder / configuration).mkdir(parents=True)

    def append(self, place: str, split: str, version: int, plan: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Write rows of a configuration, or of another folder, as one row group, unless there are none."""
        content = list(rows)
        if not content:
            return
        if self._part != (version, plan):
            self._close()
            self._part = version, plan
        key = place, split
        number = self._in_part[key] // ROWS_PER_FILE
        file = self._open.get(key)
        if file is None:
            name = f"{split}-v{version:04}-{plan[:8]}-{number:05}"
            file = self._open[key] = self._create(place, name, version)
        self._bytes[key] += file.write(content)
        self._rows[key] += len(content)
        self._in_part[key] += len(content)
        if self._in_part[key] // ROWS_PER_FILE > number:
            self._open.pop(key).close()

    def contents(self, configuration: str) -> Contents:
        """Return what the closed files of a configuration hold. The split `train` is always there."""
        splits = [split for split in SPLITS if split == "train" or self._rows[configuration, split]]
        return Contents(
            schema=self._schema_of(configuration, self._newest),
            rows={split: self._rows[configuration, split] for split in splits},
            bytes={split: self._bytes[configuration, split] for split in splits},
            file_bytes=sum(path.stat().st_size for path in (self._folder / configuration).iterdir()),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()
        if kind is None:
            for configuration in self._configurations:
                if not self._rows[configuration, "train"]:
                    _ParquetFile(
                        self._folder / configuration / EMPTY, self._schema_of(configuration, self._newest)
                    ).close()

    def _create(self, place: str, name: str, version: int) -> _RowFile:
        path = self._folder / place / name
        if place in self._configurations:
            return _ParquetFile(path.with_suffix(".parquet"), self._schema_of(place, version))
        path.parent.mkdir(parents=True, exist_ok=True)
        return _JsonLinesFile(path.with_suffix(".jsonl"))

    def _close(self) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()
        self._in_part.clear()
