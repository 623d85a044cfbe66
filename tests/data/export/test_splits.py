"""Splits: equal cells are in equal splits, larger shares keep smaller ones, every configuration follows `sft`."""

from pathlib import Path
from typing import Any

import datasets
import pytest
from exports import export_stores, row_of
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.export.splits import SPLITS, split_of
from skillmill.data.records import PairRow, SampleRow, pair_id
from skillmill.data.store import grade_store, pair_store, sample_store

PLAN, OTHER = "b" * 16, "d" * 16
CELLS = st.integers(0, 2**64 - 1).map("{:016x}".format)
SHARES = st.floats(0, 0.999)


def row(plan: str, index: int, **columns: Any) -> SampleRow:
    return {**row_of(plan, index), **columns}  # type: ignore[typeddict-item]


@given(cell=CELLS, share=SHARES, indices=st.tuples(st.integers(0, 9**9), st.integers(0, 9**9)))
def test_equal_cells_of_two_plans_are_in_the_same_split(cell: str, share: float, indices: tuple[int, int]) -> None:
    one, other = (row(plan, index, cell=cell) for plan, index in zip((PLAN, OTHER), indices, strict=True))
    assert split_of(one, share) == split_of(other, share) in ("train", "validation")


@given(cell=CELLS, shares=st.tuples(SHARES, SHARES))
def test_a_larger_share_keeps_the_cells_of_a_smaller_one(cell: str, shares: tuple[float, float]) -> None:
    smaller, larger = (split_of(row(PLAN, 0, cell=cell), share) for share in sorted(shares))
    assert smaller == "train" or larger == "validation"


@given(cell=CELLS, share=SHARES, split=st.sampled_from(["validation", "test"]))
def test_a_held_out_cell_keeps_its_split(cell: str, share: float, split: str) -> None:
    assert split_of(row(PLAN, 0, cell=cell, split=split), share) == split


def test_the_share_is_that_of_the_cells() -> None:
    chosen = sum(split_of(row(PLAN, index), 0.1) == "validation" for index in range(5000))
    assert chosen == pytest.approx(500, abs=100)


def test_all_configurations_have_the_rows_of_a_cell_in_its_split(tmp_path: Path) -> None:
    rows = [row(PLAN, index, split="test" if index % 5 == 0 else "train") for index in range(40)]
    for each in rows:
        rejected = each["index"] % 3 == 0
        each["verdict"], each["reasons"] = ("rejected", ["echo"]) if rejected else ("accepted", [])
    expected = {each["id"]: split_of(each, 0.4) for each in rows}
    assert {*expected.values()} == set(SPLITS)
    stores = samples, pairs, grades = sample_store(tmp_path), pair_store(tmp_path), grade_store(tmp_path)
    for store in stores:
        store.recover()
    samples.commit(PLAN, 0, 40, rows, 40, 40)
    pairs.commit("c" * 16, 0, 40, [pair_of(each) for each in rows], 40, 40)
    gradings = [{"id": each["id"], "run": 0, "grader": "g", "grade": None, "raw": "?"} for each in rows]
    grades.commit(PLAN, 0, 40, gradings, 40, 40)
    export_stores(stores, {PLAN: "c" * 16}, validation=0.4)

    of_pair = {pair_of(each)["id"]: each["id"] for each in rows}
    counts = {"sft": 0, "rejected": 0, "preference": 0}
    for configuration in counts:
        loaded = datasets.load_dataset(str(tmp_path / "export"), configuration, cache_dir=str(tmp_path / ".hf"))
        assert set(loaded) == set(SPLITS)
        for split, table in loaded.items():
            counts[configuration] += len(table)
            assert {expected[of_pair.get(name, name)] for name in table["id"]} == {split}
            if "split" in table.column_names:
                assert set(table["split"]) == {split}
    accepted = sum(each["verdict"] == "accepted" for each in rows)
    assert counts == {"sft": accepted, "rejected": 40 - accepted, "preference": accepted}


def pair_of(row: SampleRow) -> PairRow:
    return {
        "id": pair_id(row["id"], "brevity"),
        "prompt": row["prompt"],
        "chosen": row["completion"],
        "rejected": [{"role": "assistant", "content": "No."}],
        "chosen_source": "accepted",
        "rejected_source": "brevity",
        "margin": None,
        "row": row["id"],
        "chosen_words": 3,
        "rejected_words": 1,
        "reason": None,
    }
