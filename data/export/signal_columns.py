"""The column `signals` of exported rows: a struct with a field per signal, because `datasets` has no map type."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from skillmill.data.schemas import SAMPLE_SCHEMA

SIGNALS = "signals"


def signal_names(columns: Iterable[pa.ChunkedArray]) -> set[str]:
    """Return the names of all signals in `signals` columns."""
    return {name for column in columns for name in pc.unique(column.combine_chunks().keys).to_pylist()}


def struct_schema(names: Iterable[str]) -> pa.Schema:
    """Return the schema of exported sample rows, whose `signals` are a struct of `names`.

    Parquet has no struct without fields; without any names the struct has the field `words`.
    """
    struct = pa.struct([(name, pa.float64()) for name in sorted(names) or ["words"]])
    return SAMPLE_SCHEMA.set(SAMPLE_SCHEMA.get_field_index(SIGNALS), pa.field(SIGNALS, struct))
