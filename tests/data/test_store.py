"""The store of shards survives a crash at any step, torn manifests, damaged files and a full disk."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.data.errors import StoreError
from skillmill.data.records import Sample, SampleRow, sample_row
from skillmill.data.store import ShardStore, sample_store

PLAN = "a" * 16


def rows(start: int, stop: int, plan: str = PLAN) -> list[SampleRow]:
    return [
        sample_row(
            Sample(f"What is {i}?", f"It is {i}.", signals={"words": 3.0}),
            plan=plan,
            index=i,
            cell=f"{i:016x}",
            kind="instruct_skill_mix",
            k=2,
            skills=["a", "b"],
            topic=None,
            query_type="How",
            difficulty=None,
            length=None,
            language=None,
            parent=None,
            operator=None,
            teacher="test",
            prompts="0" * 16,
            seed=i,
            split="train",
        )
        for i in range(start, stop)
    ]


def commit(store: ShardStore, start: int, stop: int, plan: str = PLAN) -> None:
    store.commit(plan, start, stop, rows(start, stop, plan), cells=stop - start, accepted=stop - start)


def opened(root: Path) -> ShardStore:
    store = sample_store(root)
    store.recover()
    return store


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    store = opened(tmp_path)
    commit(store, 0, 10)
    [shard] = opened(tmp_path).of_plan(PLAN)
    table = store.rows(shard)
    assert shard.file == "shards/part-aaaaaaaa-000000000000.parquet"
    assert table["index"].to_pylist() == list(range(10))
    assert table["prompt"][3].as_py() == [{"role": "user", "content": "What is 3?"}]
    assert table["verdict"].to_pylist() == ["accepted"] * 10


def test_a_short_shard_that_is_continued_ends_with_the_same_bytes(tmp_path: Path) -> None:
    at_once, in_steps = opened(tmp_path / "a"), opened(tmp_path / "b")
    commit(at_once, 0, 10)
    for stop in (3, 7, 10):
        commit(in_steps, 0, stop)
    at_once.tidy()
    in_steps.tidy()
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


class Died(Exception):
    pass


@pytest.fixture
def die_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that makes the process fail at its n-th durable step (fsync or rename), counted from 0."""

    def arm(n: int) -> None:
        count = iter(range(n))

        def last_step(*args: Any, step: Any) -> Any:
            if next(count, None) is None:
                raise Died
            return step(*args)

        real_sync, real_replace = os.fsync, Path.replace
        monkeypatch.setattr(os, "fsync", lambda fd: last_step(fd, step=real_sync))
        monkeypatch.setattr(Path, "replace", lambda self, target: last_step(self, target, step=real_replace))

    yield arm
    monkeypatch.undo()


@pytest.mark.parametrize("step", range(6))
def test_a_crash_at_any_step_leaves_the_old_state_or_the_new(
    tmp_path: Path, die_at: Any, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path / "run")
    commit(store, 0, 5)
    die_at(step)
    crashed = False
    try:
        commit(store, 0, 9)
    except Died:
        crashed = True
    monkeypatch.undo()
    again = opened(tmp_path / "run")
    [shard] = again.of_plan(PLAN)
    assert crashed == (step < 4)  # a commit has four durable steps
    assert shard.stop in (5, 9)
    assert again.rows(shard).num_rows == shard.stop
    commit(again, 0, 9)
    again.tidy()
    undisturbed = opened(tmp_path / "whole")
    commit(undisturbed, 0, 9)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


@settings(max_examples=30, deadline=None)  # fsync is slow while other processes use the disk
@given(cut=st.integers(0, 300))
def test_a_torn_manifest_line_costs_that_line_alone(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    root = tmp_path_factory.mktemp("torn")
    store = opened(root)
    commit(store, 0, 5)
    whole = (root / "manifest.jsonl").read_bytes()
    commit(store, 5, 10)
    both = (root / "manifest.jsonl").read_bytes()
    (root / "manifest.jsonl").write_bytes(both[: min(len(whole) + cut, len(both))])
    again = opened(root)
    assert [shard.start for shard in again.of_plan(PLAN)] in ([0], [0, 5])
    commit(again, 5, 10)
    assert [shard.start for shard in opened(root).of_plan(PLAN)] == [0, 5]


def test_a_missing_shard_in_the_middle_is_an_error_not_a_gap(tmp_path: Path) -> None:
    store = opened(tmp_path)
    commit(store, 0, 5)
    commit(store, 5, 10)
    (tmp_path / store.of_plan(PLAN)[0].file).unlink()
    with pytest.raises(StoreError, match="missing or damaged"):
        sample_store(tmp_path)


def test_a_damaged_shard_is_noticed_when_it_is_read(tmp_path: Path) -> None:
    store = opened(tmp_path)
    commit(store, 0, 5)
    path = tmp_path / store.shards[0].file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        list(sample_store(tmp_path).tables([PLAN]))


def test_a_file_that_is_not_a_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text('{"some": "thing"}\n')
    with pytest.raises(StoreError, match=r"manifest\.jsonl line 1"):
        sample_store(tmp_path)


def test_a_full_disk_is_one_clear_error_and_keeps_what_was_there(tmp_path: Path) -> None:
    store = opened(tmp_path)
    commit(store, 0, 5)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))  # the kernel fails larger writes
    try:
        with pytest.raises(StoreError, match="cannot write"):
            commit(store, 5, 500)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    again = opened(tmp_path)
    assert [shard.stop for shard in again.of_plan(PLAN)] == [5]
    assert not list((tmp_path / "shards").glob(".*"))
