"""Scoring of row files: the rows of a file with their shirker scores, written to a Parquet file."""

import gc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.inputs.pair_columns import PairColumns, log_further_turns
from skillmill.data.inputs.row_files import open_rows
from skillmill.data.parquet import parquet_writer
from skillmill.filters.rows.empty import Empty
from skillmill.filters.shirker.features.answer import ROWS_AT_ONCE
from skillmill.filters.shirker.filter import Shirker
from skillmill.filters.shirker.model import ShirkerModel, strongest_features
from skillmill.filters.shirker.outside import outside
from skillmill.filters.shirker.repeated import RepeatedAnswers

SCORE, REASONS, STRONGEST = "shirker_score", "reasons", "shirker_signals"
VERDICT, OUTSIDE, REPEATS = "shirker_verdict", "shirker_outside", "repeated_answers"
"""The names of the columns that are added."""


def score_file(
    path: Path,
    instruction: str | None,
    response: str | None,
    out: Path,
    model: ShirkerModel,
    threshold: float,
    encoding: str | None = None,
) -> tuple[int, int]:
    """Write the rows of a file, with six columns added or replaced, to a Parquet file, whole or not at all.

    - `shirker_score`: 0..1.
    - `reasons`: ["shirker"] for a score of at least `threshold` in a row that is judged, ["empty", "shirker"] for an
      answer without text.
    - `shirker_signals`: for rows with a reason, the names of the features that add most to the score.
    - `shirker_outside`: why the row is outside of what the model was trained on, see `outside`; it is not judged.
    - `shirker_verdict`: "shirker", "passes" or "not judged".
    - `repeated_answers`: how many earlier rows with another instruction have the same or nearly the same answer, see
      `RepeatedAnswers`.

    `instruction` and `response` name columns, see `PairColumns`; None reads a known chat or instruction format.
    `encoding` is that of a text file, None for UTF-8. Memory is that of one batch. Returns the number of rows and the
    number of rows with a reason. Raises `ConfigError` if the file cannot be read, has no rows or lacks a column, and
    `SkillmillError` if `out` cannot be written.
    """
    partial = out.with_name(f".{out.name}.tmp")
    writer: pq.ParquetWriter | None = None
    rows = rejected = further = 0
    repeated = RepeatedAnswers()
    gc.freeze()  # imported objects never die; the collector's passes over them took a sixth of the time of a row
    try:
        file = open_rows(path, encoding)
        columns = PairColumns.of(file, instruction, response)
        for batch in file.batches():
            scored, batch_rejected, batch_further = _scored(batch, columns, model, threshold, repeated)
            if writer is None:
                partial.parent.mkdir(parents=True, exist_ok=True)
                writer = parquet_writer(partial, scored.schema)
            writer.write_batch(scored)
            rows, rejected = rows + batch.num_rows, rejected + batch_rejected
            further += batch_further
        if writer is None:
            raise ConfigError(f"{path}: has no rows")
        writer.close()
        partial.replace(out)
        log_further_turns(path, further)
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
    batch: pa.RecordBatch, columns: PairColumns, model: ShirkerModel, threshold: float, repeated: RepeatedAnswers
) -> tuple[pa.RecordBatch, int, int]:
    """Return the batch with the six columns, the number of its rows with a reason, and that of turns left out."""
    instructions, responses, further = columns.texts(batch)
    scores, strongest, beyond = np.empty(len(responses)), list[list[str]](), list[list[str]]()
    for start in range(0, len(responses), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        features = model.features(instructions[part], responses[part])
        scores[part] = model.scores(features)
        of_part = outside(instructions[part], responses[part], features)
        beyond += of_part
        flagged = (scores[part] >= threshold) & np.array([not why for why in of_part], np.bool_)
        of_flagged = iter(strongest_features(model, features[flagged]))
        strongest += [next(of_flagged) if is_flagged else [] for is_flagged in flagged.tolist()]
    empty = [not text.strip() for text in responses]
    verdicts = [
        "shirker" if is_empty or (not why and score >= threshold) else "not judged" if why else "passes"
        for is_empty, why, score in zip(empty, beyond, scores.tolist(), strict=True)
    ]
    reasons = [
        ([str(Empty.reason)] if is_empty else []) + ([str(Shirker.reason)] if verdict == "shirker" else [])
        for is_empty, verdict in zip(empty, verdicts, strict=True)
    ]
    strings = pa.list_(pa.string())
    added = {
        SCORE: pa.array(scores),
        REASONS: pa.array(reasons, strings),
        STRONGEST: pa.array(strongest, strings),
        VERDICT: pa.array(verdicts),
        OUTSIDE: pa.array(beyond, strings),
        REPEATS: pa.array(repeated.counts(instructions, responses), pa.int64()),
    }
    batch = batch.drop_columns([name for name in added if name in batch.schema.names])
    arrays, names = [*batch.columns, *added.values()], [*batch.schema.names, *added]
    return pa.RecordBatch.from_arrays(arrays, names), verdicts.count("shirker"), further
