"""The reader of row files."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.row_files import column_texts, open_rows, read_batches, read_column


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", 'n,text\n1,"a\nb"\n2,\n'),
        ("rows.jsonl", '{"n": 1, "text": "a\\nb"}\n{"n": 2, "text": null}\n'),
        ("rows.json", '[{"n": 1, "text": "a\\nb"}, {"n": 2}]'),
    ],
)
def test_text_files_give_the_same_column(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert read_column(open_rows(tmp_path / name), "text", "--response") == ["a\nb", ""]
    assert [batch.num_rows for batch in read_batches(tmp_path / name, size=1)] == [1, 1]


def test_numbers_are_texts_and_lists_are_not() -> None:
    batch = pa.RecordBatch.from_pydict({"n": [1, None], "lists": [["a"], ["b"]]})
    assert column_texts(batch, "n", "--response") == ["1", ""]
    with pytest.raises(ConfigError, match=r"--response 'lists': expected a column of strings, found list"):
        column_texts(batch, "lists", "--response")
    with pytest.raises(ConfigError, match=r"--response 'text': the file has no such column, only n, lists"):
        column_texts(batch, "text", "--response")


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Two hundred groups of 0.4 MB, of which Arrow may hold a few at a time."""
    path, group = tmp_path / "large.parquet", pa.table({"text": [f"{n} " + "words " * 700 for n in range(100)]})
    with pq.ParquetWriter(path, group.schema, compression="none", use_dictionary=False) as writer:
        for _ in range(200):
            writer.write_table(group)
    before, most = pa.total_allocated_bytes(), 0
    for _ in read_batches(path, 100):
        most = max(most, pa.total_allocated_bytes() - before)
    assert path.stat().st_size > 80e6
    assert most < 10e6
