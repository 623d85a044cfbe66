"""The Parquet files of an export. Old files keep their names and bytes when a version is added.

A file has rows of one configuration, one split, one version and one plan. Its name is
`<configuration>/<split>-v<version, 4 digits>-<plan, 8 digits>-<number>.parquet`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from skillmill.data.parquet import parquet_writer

ROWS_PER_FILE = 100_000
"""A file with so many rows gets no further row group, so that files can be loaded in parallel."""
EMPTY = "train-00000.parquet"
"""The file of a configuration without rows."""


class ExportFiles:
    """Writes the rows of an export into its files. Rows of one version and plan come one after another."""

    def __init__(self, folder: Path, schemas: Mapping[str, pa.Schema]) -> None:
        self._folder, self._schemas = folder, schemas
        self._open: dict[tuple[str, str], pq.ParquetWriter] = {}
        self._rows: dict[tuple[str, str], int] = {}
        self._part: tuple[int, str] | None = None
        for configuration in schemas:
            (folder / configuration).mkdir(parents=True)

    def append(
        self, configuration: str, split: str, version: int, plan: str, rows: Iterable[Mapping[str, object]]
    ) -> None:
        """Write rows as one row group, unless there are none."""
        content = list(rows)
        if not content:
            return
        if self._part != (version, plan):
            self._close()
            self._part = version, plan
        key = configuration, split
        number = self._rows.get(key, 0) // ROWS_PER_FILE
        name = f"{split}-v{version:04}-{plan[:8]}-{number:05}.parquet"
        writer = self._open.get(key)
        if writer is None:
            writer = self._open[key] = self._writer(configuration, name)
        writer.write_table(pa.Table.from_pylist(content, schema=writer.schema))
        self._rows[key] = self._rows.get(key, 0) + len(content)
        if self._rows[key] // ROWS_PER_FILE > number:
            self._open.pop(key).close()

    def splits(self, configuration: str) -> list[str]:
        """Return the splits of a configuration that have a file, `train` first."""
        names = {path.name.split("-")[0] for path in (self._folder / configuration).glob("*.parquet")}
        return sorted(names, key=lambda name: ("train", "validation", "test").index(name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()
        if kind is None:
            for configuration in self._schemas:
                if not any((self._folder / configuration).glob("train-*.parquet")):
                    self._writer(configuration, EMPTY).close()

    def _writer(self, configuration: str, name: str) -> pq.ParquetWriter:
        path, schema = self._folder / configuration / name, self._schemas[configuration]
        return parquet_writer(path, schema, use_content_defined_chunking=True)

    def _close(self) -> None:
        for writer in self._open.values():
            writer.close()
        self._open.clear()
        self._rows.clear()
