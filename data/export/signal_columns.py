"""The column `signals` of exported rows: a struct with a field per signal, because `datasets` has no map type.

A Parquet file needs its schema before its first row, so an export collects the names of all signals in a first pass
over the shards. The decoded column is kept in a temporary Arrow file for the second pass, which writes the rows. Memory
is that of one shard.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from skillmill.data.schemas import SAMPLE_SCHEMA

SIGNALS = "signals"
_SIGNALS_SCHEMA = pa.schema([SAMPLE_SCHEMA.field(SIGNALS)])


def keep_signals(columns: Iterable[pa.ChunkedArray], path: Path) -> set[str]:
    """Write `signals` columns to the temporary file `path` and return the names of the signals in them."""
    names: set[str] = set()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _SIGNALS_SCHEMA) as writer:
        for column in columns:
            signals = column.combine_chunks()
            names.update(pc.unique(signals.keys).to_pylist())
            writer.write_batch(pa.record_batch([signals], schema=_SIGNALS_SCHEMA))
    return names


def kept_signals(path: Path) -> Iterator[pa.Array]:
    """Yield the columns that `keep_signals` wrote to `path`, memory-mapped."""
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number).column(0)


def struct_schema(names: Iterable[str]) -> pa.Schema:
    """Return the schema of exported sample rows, whose `signals` are a struct of `names`.

    Parquet has no struct without fields; without any names the struct has the field `words`.
    """
    struct = pa.struct([(name, pa.float64()) for name in sorted(names) or ["words"]])
    return SAMPLE_SCHEMA.set(SAMPLE_SCHEMA.get_field_index(SIGNALS), pa.field(SIGNALS, struct))
