"""Reader of row files: Parquet, CSV, JSON and JSON lines, in batches of Arrow."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq

from skillmill.data.errors import ConfigError

BATCH_ROWS = 4096
BLOCK_BYTES = 16 * 2**20
"""Bytes of a text file that are parsed at once. A row of CSV or JSON lines must fit into one block."""


def read_batches(path: Path, size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file in batches of at most `size` rows.

    The ending of the file's name (.parquet, .csv, .json, .jsonl or .ndjson) decides its format. Memory is that of one
    batch, except for .json, which is read whole. Raises `ConfigError` if the file cannot be read or has another ending.
    """
    try:
        yield from _batches(path, size)
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from None


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
    return [value or "" for value in pc.cast(values, pa.string()).to_pylist()]


def read_column(path: Path, column: str, option: str) -> list[str]:
    """Return one column of a whole file as strings. Raises `ConfigError` as `read_batches` and `column_texts` do."""
    return [text for batch in read_batches(path) for text in column_texts(batch, column, option)]


def _batches(path: Path, size: int) -> Iterator[pa.RecordBatch]:
    kind = path.suffix.lower()
    if kind == ".parquet":
        with pq.ParquetFile(path, pre_buffer=False) as file:  # with buffers, memory grows to the size of the file
            yield from file.iter_batches(batch_size=size)
        return
    if kind == ".csv":
        parsing = pacsv.ParseOptions(newlines_in_values=True)
        with pacsv.open_csv(path, pacsv.ReadOptions(block_size=BLOCK_BYTES), parsing) as reader:
            for batch in reader:
                yield from _slices(batch, size)
        return
    if kind in (".jsonl", ".ndjson"):
        with pajson.open_json(path, pajson.ReadOptions(block_size=BLOCK_BYTES)) as reader:
            for batch in reader:
                yield from _slices(batch, size)
        return
    if kind == ".json":
        yield from _slices(_json_array(path), size)
        return
    raise ConfigError(f"{path}: expected a name that ends in .parquet, .jsonl, .json or .csv")


def _json_array(path: Path) -> pa.RecordBatch:
    """Return the rows of a JSON file that holds one list of objects; a missing key is null."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: is no JSON ({error}); for one object a line the name ends in .jsonl") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{path}: expected a list of objects")
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.RecordBatch.from_pydict({name: [row.get(name) for row in rows] for name in names})


def _slices(batch: pa.RecordBatch, size: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)
