"""Every Parquet file has the same compression, however it is written."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from skillmill.data.parquet import parquet_writer, write_parquet

TABLE = pa.table({"text": ["a", "b"], "number": [1, 2]})


def test_both_ways_of_writing_give_the_same_bytes(tmp_path: Path) -> None:
    write_parquet(tmp_path / "table", TABLE)
    with parquet_writer(tmp_path / "writer", TABLE.schema) as writer:
        writer.write_table(TABLE)
    assert (tmp_path / "table").read_bytes() == (tmp_path / "writer").read_bytes()
    columns = pq.ParquetFile(tmp_path / "table").metadata.row_group(0)
    assert {columns.column(number).compression for number in range(2)} == {"ZSTD"}
