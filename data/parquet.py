"""The Parquet writer of the project: every file that a run writes has the same compression."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

COMPRESSION = "zstd"


def parquet_writer(
    path: Path, schema: pa.Schema, compression: str = COMPRESSION, use_content_defined_chunking: bool = False
) -> pq.ParquetWriter:
    """Open a Parquet file for writing. The caller closes it, e.g. with a `with` block. Raises `OSError`.

    With `use_content_defined_chunking`, inserted rows change few data pages, so that a store that compares chunks
    takes only what is new.
    """
    return pq.ParquetWriter(
        path, schema, compression=compression, use_content_defined_chunking=use_content_defined_chunking
    )


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a whole table to a Parquet file, with at most 1,048,576 rows in a row group. Raises `OSError`."""
    pq.write_table(table, path, compression=COMPRESSION)
