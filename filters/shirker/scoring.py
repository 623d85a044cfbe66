"""Files of rows: read in batches, scored, written again; Parquet, CSV, JSON and JSON lines."""

import gc
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.parquet import parquet_writer
from skillmill.data.reasons import Reason
from skillmill.filters.shirker.answer_features import TOGETHER
from skillmill.filters.shirker.model import ShirkerModel, strongest

BATCH_ROWS = 4096
BLOCK_BYTES = 16 * 2**20
"""Of text files; a row of CSV or JSON lines has to fit into one block."""
SCORE, REASONS, WHY = "shirker_score", "reasons", "shirker_signals"


def batches(path: Path, size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """The rows of a file, at most `size` at a time; the ending of its name says what it is. ConfigError for others."""
    try:
        yield from _batches(path, size)
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from None


def _batches(path: Path, size: int) -> Iterator[pa.RecordBatch]:
    kind = path.suffix.lower()
    if kind == ".parquet":
        with pq.ParquetFile(path, pre_buffer=False) as file:  # buffers would hold the whole file in the end
            yield from file.iter_batches(batch_size=size)
        return
    if kind == ".csv":
        parsing = pacsv.ParseOptions(newlines_in_values=True)
        with pacsv.open_csv(path, pacsv.ReadOptions(block_size=BLOCK_BYTES), parsing) as reader:
            for batch in reader:
                yield from _pieces(batch, size)
        return
    if kind in (".jsonl", ".ndjson"):
        with pajson.open_json(path, pajson.ReadOptions(block_size=BLOCK_BYTES)) as reader:
            for batch in reader:
                yield from _pieces(batch, size)
        return
    if kind == ".json":
        yield from _pieces(_json_array(path), size)
        return
    raise ConfigError(f"{path}: expected a name that ends in .parquet, .jsonl, .json or .csv")


def _json_array(path: Path) -> pa.RecordBatch:
    """A JSON file that holds one list of objects; it is read whole."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: is no JSON ({error}); for one object a line the name ends in .jsonl") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{path}: expected a list of objects")
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.RecordBatch.from_pydict({name: [row.get(name) for row in rows] for name in names})


def _pieces(batch: pa.RecordBatch, size: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)


def texts(batch: pa.RecordBatch, column: str, option: str) -> list[str]:
    """A column as strings; null is "". ConfigError where there is no such column, or it holds no text."""
    if column not in batch.schema.names:
        raise ConfigError(f"{option} {column!r}: the file has no such column, only {', '.join(batch.schema.names)}")
    values = batch.column(column)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        raise ConfigError(f"{option} {column!r}: expected a column of strings, found {values.type}")
    return [value or "" for value in pc.cast(values, pa.string()).to_pylist()]


def score_file(
    path: Path, instruction: str, response: str, out: Path, model: ShirkerModel, threshold: float
) -> tuple[int, int]:
    """Writes the file's rows with three columns added, or replaced, to a Parquet file; it appears whole or not at all.

    `shirker_score` (0..1), `reasons` (["shirker"] from the threshold on, ["empty", "shirker"] for no answer at all),
    `shirker_signals` (the signals that spoke most for it, for rows with a reason). Memory is that of one batch.
    Returns how many rows there were and how many have a reason.
    """
    partial = out.with_name(f".{out.name}.tmp")
    writer: pq.ParquetWriter | None = None
    rows = rejected = 0
    gc.freeze()  # what the imports left does not die: looking through it again and again cost a sixth of a row's time
    try:
        for batch in batches(path):
            scored, found = _scored(batch, instruction, response, model, threshold)
            if writer is None:
                partial.parent.mkdir(parents=True, exist_ok=True)
                writer = parquet_writer(partial, scored.schema)
            writer.write_batch(scored)
            rows, rejected = rows + batch.num_rows, rejected + found
        if writer is None:
            raise ConfigError(f"{path}: has no rows")
        writer.close()
        partial.replace(out)
    except (OSError, pa.ArrowException) as error:
        raise SkillmillError(f"{out}: cannot be written ({str(error).splitlines()[0]})") from None
    finally:
        gc.unfreeze()
        if writer is not None:
            writer.close()
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return rows, rejected


def _scored(
    batch: pa.RecordBatch, instruction: str, response: str, model: ShirkerModel, threshold: float
) -> tuple[pa.RecordBatch, int]:
    asked, said = texts(batch, instruction, "--instruction"), texts(batch, response, "--response")
    scores, why = np.empty(len(said)), list[list[str]]()
    for start in range(0, len(said), TOGETHER):  # their signals fit into a core's cache
        part = slice(start, start + TOGETHER)
        signals = model.signals(asked[part], said[part])
        scores[part] = model.scores(signals)
        low = scores[part] >= threshold
        spoken = iter(strongest(model, signals[low]))
        why += [next(spoken) if is_low else [] for is_low in low.tolist()]
    low = scores >= threshold
    reasons = [
        ([str(Reason.EMPTY)] if not text.strip() else []) + ([str(Reason.SHIRKER)] if is_low else [])
        for text, is_low in zip(said, low.tolist(), strict=True)
    ]
    strings = pa.list_(pa.string())
    batch = batch.drop_columns([name for name in (SCORE, REASONS, WHY) if name in batch.schema.names])
    columns = [*batch.columns, pa.array(scores), pa.array(reasons, strings), pa.array(why, strings)]
    names = [*batch.schema.names, SCORE, REASONS, WHY]
    return pa.RecordBatch.from_arrays(columns, names), int(low.sum())


def whole_column(path: Path, column: str, option: str) -> list[str]:
    """One column of a whole file as strings."""
    return [text for batch in batches(path) for text in texts(batch, column, option)]
