"""An export hashes each shard once, and reads it once beside the names of its signals."""

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from example_rows import example_row
from exports import export_stores

from skillmill.data.records import GradingRow, Sample, SampleRow
from skillmill.data.schemas import GRADING_SCHEMA, SAMPLE_SCHEMA
from skillmill.data.store import grade_store, pair_store, sample_store

PLANS = ("a" * 16, "b" * 16)


def row_of(plan: str, index: int) -> SampleRow:
    """A row whose signals differ from shard to shard."""
    signals = {} if index == 1 else {"words": 2.0, f"only_{index}": float(index)}
    return example_row(Sample(f"Question {index}?", f"Answer {index}.", signals=signals, grader="g"), plan, index)


class Reads:
    """Counts what the libraries do: checksums by file, and decoded columns by file."""

    def __init__(self) -> None:
        self.hashed: Counter[str] = Counter()
        self.decoded: dict[str, Counter[str]] = {}

    def counting_digest(self, digest: Callable[..., Any]) -> Callable[..., Any]:
        def count(file: Any, *args: Any) -> Any:
            self.hashed[_name(file.name)] += 1
            return digest(file, *args)

        return count

    def counting_read(self, read: Callable[..., Any]) -> Callable[..., Any]:
        def count(source: Any, *args: Any, **options: Any) -> Any:
            table = read(source, *args, **options)
            self.decoded.setdefault(_name(source), Counter()).update(table.column_names)
            return table

        return count


def _name(path: Any) -> str:
    return "/".join(Path(path).parts[-2:])


def test_each_shard_is_hashed_once_and_read_once_beside_its_signals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, pairs, grades = sample_store(tmp_path), pair_store(tmp_path), grade_store(tmp_path)
    for store in (samples, pairs, grades):
        store.recover()
    for plan in PLANS:
        for index in range(3):
            row = row_of(plan, index)
            grading: GradingRow = {"id": row["id"], "run": 0, "grader": "g", "grade": None, "raw": "?"}
            grades.commit(plan, index, index + 1, [grading], 1, 1)
            samples.commit(plan, index, index + 1, [row], 1, 1)

    reads = Reads()
    monkeypatch.setattr(hashlib, "file_digest", reads.counting_digest(hashlib.file_digest))
    monkeypatch.setattr(pq, "read_table", reads.counting_read(pq.read_table))
    export_stores((samples, pairs, grades), dict.fromkeys(PLANS, "c" * 16))
    monkeypatch.undo()

    schemas: dict[str, pa.Schema] = {
        **{shard.file: SAMPLE_SCHEMA for shard in samples.shards},
        **{shard.file: GRADING_SCHEMA for shard in grades.shards},
    }
    assert len(schemas) == 12
    assert {name: count for name, count in reads.hashed.items() if name in schemas} == dict.fromkeys(schemas, 1)
    signals = {shard.file: Counter(["index", "signals"]) for shard in samples.shards}
    assert reads.decoded == {
        name: Counter(schema.names) + signals.get(name, Counter()) for name, schema in schemas.items()
    }

    rows = datasets.load_dataset(str(tmp_path / "export"), split="train", cache_dir=str(tmp_path / ".hf"))
    assert [row["signals"] for row in rows][:3] == [
        {"only_0": 0.0, "only_2": None, "words": 2.0},
        {"only_0": None, "only_2": None, "words": None},
        {"only_0": None, "only_2": 2.0, "words": 2.0},
    ]
