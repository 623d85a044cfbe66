"""Files of rows that users name: Parquet, CSV, TSV, JSON and JSON lines, each also `.gz`, read in batches of Arrow.

`filters score`, `filters calibrate`, `skillmill score`, evaluation sets and taxonomies from datasets read files here.
"""

import gzip
import logging
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.column_types import ColumnTypes, arrow_column
from skillmill.data.inputs.local_files import require_local
from skillmill.data.inputs.text_rows import TEXT_FORMATS, RowError, TextRows, known_encoding

BATCH_ROWS = 4096
PARQUET = ".parquet"
ENDINGS = (PARQUET, *TEXT_FORMATS)
"""The endings of file names that are read, each also with `.gz`."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RowFile:
    """A file of rows with the types of its columns, which hold for all its batches.

    Attributes:
        path: The file.
        schema: The columns. A name may occur twice in Parquet and CSV files.
        changing: The columns whose values have several types; they are read as text.
        encoding: The encoding of a text file; None is UTF-8.
        option: The option or key that gives the encoding, for error messages.
    """

    path: Path
    schema: pa.Schema
    changing: tuple[str, ...] = ()
    encoding: str | None = None
    option: str = "--encoding"

    def require(self, column: str, option: str) -> None:
        """Raise `ConfigError` unless exactly one column has this name. `option` names it in the message."""
        names = self.schema.names
        if column not in names:
            raise ConfigError(f"{option} {column!r}: the file has no such column, only {', '.join(names) or 'none'}")
        if names.count(column) > 1:
            raise ConfigError(f"{option} {column!r}: {self.path.name} has {names.count(column)} columns of this name")

    def batches(self, columns: Sequence[str] | None = None, size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches of at most `size` rows, with the given columns or all.

        If all are read, the first of several columns with one name is kept, and one line of the log names it; another
        line names the columns that are read as text. Raises `ConfigError` if the file cannot be read.
        """
        names = self.schema.names
        if columns is None:
            self._log_differences()
        chosen = [names.index(name) for name in dict.fromkeys(names) if columns is None or name in columns]
        with _read_errors(self.path, self.option):
            if _ending(self.path) == PARQUET:
                with _parquet(self.path) as file:
                    for batch in file.iter_batches(size, columns=columns):
                        places = batch.schema.names
                        yield batch.select([places.index(names[place]) for place in chosen])
                return
            schema = pa.schema([self.schema.field(place) for place in chosen])
            for values, rows in TextRows(self.path, _ending(self.path), size, self.encoding).columns():
                arrays = [arrow_column(values.get(place), rows, self.schema.field(place).type) for place in chosen]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _log_differences(self) -> None:
        names = self.schema.names
        if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            log.warning("%s: only the first column named %s is kept", self.path.name, ", ".join(repeated))
        if self.changing:
            kept = ", ".join(self.changing)
            log.warning("%s: read as text, because the type changes from row to row: %s", self.path.name, kept)


def open_rows(
    path: Path, encoding: str | None = None, option: str = "--encoding", endings: Sequence[str] = ENDINGS
) -> RowFile:
    """Return a file of rows, whose name ends in one of `endings`. A text file is read once to find its types.

    The memory that reading takes does not grow with the file. Raises `ConfigError` if the file cannot be read or has
    another ending, or if `encoding` is unknown; `option` is the option or key that gives the encoding.
    """
    require_local(path)
    if _ending(path) not in endings:
        raise ConfigError(f"{path}: expected a name that ends in {', '.join(endings)}, or one of these and .gz")
    if encoding is not None and not known_encoding(encoding):
        raise ConfigError(f"{option} {encoding!r}: is no known encoding, expected for example utf-8 or cp1252")
    with _read_errors(path, option):
        if _ending(path) == PARQUET:
            with _parquet(path) as file:
                return RowFile(path, file.schema_arrow, option=option)
        rows = TextRows(path, _ending(path), BATCH_ROWS, encoding)
        types = ColumnTypes(typed=rows.typed)
        for values, _ in rows.columns():
            types.add(values)
    if rows.surrogates:
        log.warning("%s: lone surrogates replaced with U+FFFD: %d", path.name, rows.surrogates)
    if rows.repeated:
        names = ", ".join(map(repr, rows.repeated))
        log.warning("%s: objects in which a key comes twice, the last value is read: %s", path.name, names)
    fields = [pa.field(name, types.type(place)) for place, name in enumerate(rows.names)]
    changing = [name for place, name in enumerate(rows.names) if place in types.changing]
    return RowFile(path, pa.schema(fields), tuple(changing), encoding, option)


def read_batches(path: Path, size: int = BATCH_ROWS, encoding: str | None = None) -> Iterator[pa.RecordBatch]:
    """Yield all columns of a file in batches of at most `size` rows. Raises `ConfigError` as `open_rows` does."""
    yield from open_rows(path, encoding).batches(size=size)


def column_texts(batch: pa.RecordBatch, column: str, option: str) -> list[str]:
    """Return a column as strings; a null value is "".

    `option` is the command line option that names the column. Raises `ConfigError` if the batch has no such column, or
    if the column holds no text.
    """
    if column not in batch.schema.names:
        raise ConfigError(f"{option} {column!r}: the file has no such column, only {', '.join(batch.schema.names)}")
    values = batch.column(column)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        raise ConfigError(f"{option} {column!r}: expected a column of strings, found {values.type}")
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), None, values)
    return [value or "" for value in pc.cast(values, pa.string()).to_pylist()]


def read_column(file: RowFile, column: str, option: str) -> list[str]:
    """Return one column of a file as strings. Raises `ConfigError` as `RowFile.require` and `column_texts` do."""
    file.require(column, option)
    return [text for batch in file.batches([column]) for text in column_texts(batch, column, option)]


def _ending(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


@contextmanager
def _parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; one that ends in `.gz` is decompressed into a temporary file."""
    with tempfile.TemporaryFile() as copy:
        source: Path | BinaryIO = path
        if path.suffix.lower() == ".gz":
            with gzip.open(path) as compressed:
                shutil.copyfileobj(compressed, copy)
            source = cast(BinaryIO, copy)
        with pq.ParquetFile(source, pre_buffer=False) as file:  # with buffers, memory grows to the size of the file
            yield file


@contextmanager
def _read_errors(path: Path, option: str) -> Iterator[None]:
    """Raise the errors of the readers in the block as `ConfigError`."""
    try:
        yield
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02x}"
        advice = f"save it as UTF-8, or give its encoding, for example {option} cp1252"
        raise ConfigError(f"{path}: is not encoded in {error.encoding} ({byte}); {advice}") from None
    except UnicodeError as error:  # UTF-16 without a byte order mark
        raise ConfigError(f"{path}: cannot be decoded ({error}); {option} gives the encoding") from None
    except (RowError, OSError, EOFError, zlib.error, pa.ArrowException) as error:
        message = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{path}: cannot be read ({message})") from None
