"""The sets that a job reads rows from: this run's export, another export, a file, a folder, or a name on the Hub."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from skillmill.data.errors import ConfigError
from skillmill.data.files import sha256_of, store_errors
from skillmill.data.inputs.datasets import hub_revision, is_hub_name, plain_text, read_dataset, stream_dataset
from skillmill.data.inputs.row_files import BATCH_ROWS
from skillmill.data.schemas import MESSAGES, SAMPLE_SCHEMA
from skillmill.train.job import Job
from skillmill.train.rows.config import EXPORT, Part
from skillmill.train.rows.export import export_batches, export_checksum
from skillmill.train.rows.layouts import EXPECTED, Reader, find_reader
from skillmill.train.rows.methods import COLUMNS, HELD_OUT, LABEL

STREAMED_ROWS = 100
"""The number of rows of a set on the Hub that are read at a time when the training comes to them."""


@dataclass
class Source:
    """One set of rows of a job. `left_out`: its rows without a request or an answer, known when `batches` is read."""

    job: Job
    part: Part
    key: str
    """The configuration key that names the set, for messages."""
    cache: Path
    """The folder for files of `datasets`."""
    left_out: int = 0

    @property
    def is_lazy(self) -> bool:
        """Whether the rows are read from the Hub when the training comes to them."""
        return self.job.settings.is_lazy and self.part.data != EXPORT and is_hub_name(self.part.data)

    @property
    def columns(self) -> list[str]:
        """The columns of a set that is no export."""
        return list(self._dataset.column_names)

    @property
    def name(self) -> str:
        """The name of the set for people and for `train.json`, without local folders."""
        return self.part.name

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy has: all but the opened set, which it opens again."""
        return {name: value for name, value in self.__dict__.items() if name != "_dataset"}

    def checksum(self) -> str:
        """Return a SHA-256 over the rows, of a lazy set over the commit of the Hub that has them.

        Raises `ConfigError` if there is no such set, `SkillmillError`.
        """
        if export := self.export():
            return export_checksum(export)
        if self.is_lazy:
            place = [self.part.data, self._revision, self.part.subset, self.part.split]
            return hashlib.sha256(orjson.dumps(place)).hexdigest()
        path = Path(self.part.data)
        with store_errors(f"{self.key}: cannot read {path}"):
            if path.is_file():
                return sha256_of(path)
            if path.is_dir():
                files = sorted(file for file in path.rglob("*") if file.is_file())
                content = [[str(file.relative_to(path)), sha256_of(file)] for file in files]
                return hashlib.sha256(orjson.dumps([content, self.part.subset, self.part.split])).hexdigest()
        digest = hashlib.sha256()
        for batch in self._raw_batches():
            digest.update(batch.serialize())
        return digest.hexdigest()

    def check(self) -> None:
        """Raise `ConfigError` if the set of a file, a folder or the Hub is not there, or has not the columns needed."""
        if self.export() is None:
            self._reader()

    def splits(self) -> set[str]:
        """Return the values of the column `split` of rows of skillmill's own form, which also have a column `cell`."""
        if self.export() is not None or not self._has_splits:
            return set()
        return {str(split) for split in self._dataset.unique("split")}

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows with the job's columns, in the types of `row_schema`.

        Held-out rows of a lazy set are left out. Raises `ConfigError` if the set cannot be read, has no rows, or lacks
        columns.
        """
        schema = row_schema(self.job)
        if export := self.export():
            yield from (batch.cast(schema) for batch in export_batches(export))
            return
        reader = self._reader()
        rows = made = 0
        for batch in self._raw_batches(reader.columns):
            of_rows = [self._read(reader, values) for values in batch.to_pylist()]
            rows += len(of_rows)
            self.left_out += sum(not each for each in of_rows)
            found = [row for each in of_rows for row in each]
            made += len(found)
            yield self._batch(found, schema)
        if not made:
            why = f"none of its {rows} rows has a request and an answer" if rows else "it has no rows"
            raise ConfigError(f"{self.key}: {self.part.data}: {why}, expected {EXPECTED[self.job.stage]}")

    def export(self) -> Job | None:
        """Return the job on the export that the set is, None if it is none.

        Raises `ConfigError` for another split than train, whose rows are held out.
        """
        folder = Path(self.part.data)
        is_own = self.part.data == EXPORT
        if not is_own and (
            self.part.subset is not None or not any((folder / self.job.configuration).glob("train-*.parquet"))
        ):
            return None
        if self.part.split != "train":
            raise ConfigError(
                f"{self.key}: the split {self.part.split} of an export is held out, expected the split train"
            )
        return self.job if is_own else replace(self.job, dataset_dir=folder)

    def _reader(self) -> Reader:
        names = self.columns
        further = [column for column in self.job.columns if column not in COLUMNS[self.job.stage]]
        reader = find_reader(self.job.stage, names, further)
        if reader is None:
            raise ConfigError(
                f"{self.key}: {self.part.data} has the columns {', '.join(names) or 'none'}; "
                f"expected {EXPECTED[self.job.stage]}"
            )
        return reader

    def _batch(self, rows: list[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
        for name in (field.name for field in schema if pa.types.is_string(field.type)):
            for row in rows:
                row[name] = plain_text(row.get(name)) or None
        try:
            return pa.RecordBatch.from_pylist(rows, schema=schema)
        except (pa.ArrowException, TypeError, ValueError) as error:
            message = str(error).splitlines()[0]
            raise ConfigError(f"{self.key}: {self.part.data}: a column has another type: {message}") from None

    def _read(self, reader: Reader, values: dict[str, Any]) -> list[dict[str, Any]]:
        try:
            return reader.read(values)
        except ConfigError as error:
            raise ConfigError(f"{self.key}: {self.part.data}: {error}") from None

    def _raw_batches(self, columns: tuple[str, ...] | None = None) -> Iterator[pa.RecordBatch]:
        is_checked = self.is_lazy and self._has_splits
        names = [column for column in self.columns if columns is None or column in columns]
        rows = self._dataset.select_columns(list(dict.fromkeys((*names, "split"))) if is_checked else names)
        for table in rows.with_format("arrow").iter(STREAMED_ROWS if self.is_lazy else BATCH_ROWS):
            if is_checked:
                table = table.filter(pc.invert(pc.is_in(table["split"], value_set=pa.array(HELD_OUT))))
            yield from table.select(names).combine_chunks().to_batches()

    @property
    def _has_splits(self) -> bool:
        return {"split", "cell"} <= set(self.columns)

    @cached_property
    def _revision(self) -> str:
        return hub_revision(self.key, self.part.data)

    @cached_property
    def _dataset(self) -> Any:
        part = self.part
        if self.is_lazy:
            return stream_dataset(self.key, part.data, part.subset, part.split, self._revision)
        return read_dataset(self.key, part.data, part.subset, part.split, self.cache, encoding=part.encoding)


def sources(job: Job, cache: Path) -> list[list[Source]]:
    """Return the sets of a job's rows by phase; `cache` is a folder for files of `datasets`."""
    return [
        [
            Source(job, part, f"train.{job.stage}.{prefix}{sets.part_key(place)}", cache / f"{prefix}{place}")
            for place, part in enumerate(sets.parts)
        ]
        for prefix, sets in job.settings.groups
    ]


def row_schema(job: Job) -> pa.Schema:
    """Return the types of the job's columns. Columns that are not those of a sample row are numbers for the order."""
    types = {LABEL: pa.bool_(), **{field.name: field.type for field in SAMPLE_SCHEMA}}
    types |= dict.fromkeys(("chosen", "rejected"), MESSAGES)
    markers = job.settings.markers.columns if job.settings.markers else ()
    others = {column: pa.string() if column in markers else pa.float64() for column in job.columns}
    return pa.schema([(column, {**others, **types}[column]) for column in job.columns])
