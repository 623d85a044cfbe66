"""`datasets` verifies an export against the card, and reads the signals of all versions."""

from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
from datasets.exceptions import DatasetGenerationError
from datasets.utils.info_utils import NonMatchingSplitsSizesError
from exports import export_stores, row_of

from skillmill.data.records import SampleRow
from skillmill.data.store import grade_store, pair_store, sample_store

PLAN = "b" * 16


def row(index: int, signals: dict[str, float]) -> SampleRow:
    columns: Any = {"verdict": "accepted", "reasons": [], "signals": sorted(signals.items())}
    return {**row_of(PLAN, index), **columns}


def export(root: Path, start: int, rows: list[SampleRow]) -> Path:
    stores = samples, _, _ = sample_store(root), pair_store(root), grade_store(root)
    for store in stores:
        store.recover()
    samples.commit(PLAN, start, start + len(rows), rows, len(rows), len(rows))
    export_stores(stores, {PLAN: "c" * 16})
    return root / "export"


def load(folder: Path, **options: Any) -> Any:
    return datasets.load_dataset(str(folder), cache_dir=str(folder.parent / ".hf"), **options)


def test_the_card_has_the_features_rows_and_bytes_of_each_configuration(tmp_path: Path) -> None:
    folder = export(tmp_path, 0, [row(index, {"words": 1.0}) for index in range(3)])
    builder = datasets.load_dataset_builder(str(folder), "sft", cache_dir=str(tmp_path / ".hf"))
    info = builder.info
    assert info.splits["train"].num_examples == 3
    assert info.splits["train"].num_bytes == info.dataset_size > 0
    [file] = (folder / "sft").iterdir()
    assert info.download_size == file.stat().st_size
    assert info.features.arrow_schema.remove_metadata() == pq.read_schema(file)
    loaded = load(folder, verification_mode="all_checks")["train"]
    assert loaded.features == info.features
    assert loaded.features["skills"] == datasets.List(datasets.Value("string"))


def test_rows_that_are_not_those_of_the_card_are_refused(tmp_path: Path) -> None:
    folder = export(tmp_path, 0, [row(index, {"words": 1.0}) for index in range(3)])
    [file] = (folder / "sft").iterdir()
    pq.write_table(pq.read_table(file).slice(0, 2), file)
    with pytest.raises((NonMatchingSplitsSizesError, DatasetGenerationError)):
        load(folder)


@pytest.mark.parametrize("first", [{"words": 1.0}, {}, {"zeal": 3.0}], ids=["words", "none", "other"])
def test_a_new_signal_changes_no_older_file_and_is_null_in_older_rows(tmp_path: Path, first: dict[str, float]) -> None:
    folder = export(tmp_path, 0, [row(0, first), row(1, first)])
    before = {path.name: path.read_bytes() for path in (folder / "sft").iterdir()}
    export(tmp_path, 2, [row(2, {"rare: one": 2.0})])
    after = {path.name: path.read_bytes() for path in (folder / "sft").iterdir()}
    assert before.items() < after.items()
    names: dict[str, float | None] = {**first} or {"words": None}
    expected = [{**names, "rare: one": None}] * 2 + [{**dict.fromkeys(names), "rare: one": 2.0}]
    assert [each["signals"] for each in load(folder, split="train")] == expected
    assert [each["signals"] for each in load(folder, split="train", streaming=True)] == expected
    assert [each["version"] for each in load(folder, split="train")] == ["v1", "v1", "v2"]


def test_every_file_of_a_second_export_has_the_same_bytes(tmp_path: Path) -> None:
    rows = [row(index, {"words": 1.0}) for index in range(3)]

    def content() -> dict[str, bytes]:
        folder = export(tmp_path, 0, rows)
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first = content()
    assert {"README.md", "plots/categories.svg", "plots/lengths.svg"} < set(first)
    assert content() == first
