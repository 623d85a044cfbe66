"""Near-duplicates over whole runs: what is kept does not depend on the order of arrival, stops, or a lost cache."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from skillmill.data.records import text_of
from skillmill.filters.dedup.signatures import HEADER_BYTES, record_type
from skillmill.flows.config import Config, parse_config
from skillmill.flows.pipeline import run
from skillmill.flows.rows.duplicates import SIGNATURES
from skillmill.flows.steps.filter import filter_step
from skillmill.flows.steps.generate import generate_step

DUPLICATES = {"duplicate", "near_duplicate"}


class Runs:
    """`runs("out", accepted=20)` is the configuration of a run against a teacher with few different answers."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def __call__(self, output_dir: str, in_flight: int = 8, seed: int = 1, **generation: Any) -> Config:
        filters = generation.pop("filters", {})
        return parse_config(
            {
                "output_dir": output_dir,
                "seed": seed,
                "teacher": {
                    "kind": "openai",
                    "model": "scripted",
                    "base_url": self.server.base_url,
                    "max_in_flight": in_flight,
                },
                "generation": {"shard_rows": 7, **generation},
                "filters": filters,
                "pairs": {"sources": []},
            }
        )


@pytest.fixture
def runs(tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.chdir(tmp_path)
    return Runs(scripted_server(latency=0.005, copies=40))


def shards(config: Config) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((config.output / "shards").iterdir())}


def rows(config: Config) -> list[dict[str, Any]]:
    paths = sorted((config.output / "shards").iterdir())
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def signed(config: Config) -> int:
    """How many rows have a signature on the disk."""
    size = (config.work / SIGNATURES).stat().st_size - HEADER_BYTES
    assert size % record_type(128).itemsize == 0
    return size // record_type(128).itemsize


def test_a_target_counts_rows_after_near_duplicates_and_ends_at_the_shortest_prefix(runs: Runs) -> None:
    config = runs("out", accepted=15)
    assert generate_step(config).accepted == 15
    found = rows(config)
    kept = {row["index"]: row for row in found if row["verdict"] == "accepted"}
    assert len(kept) == 15
    assert found[-1]["index"] in kept
    for column in ("prompt", "completion"):
        assert len({text_of(row[column]) for row in kept.values()}) == 15
    fallen = [row for row in found if DUPLICATES & set(row["reasons"])]
    assert len(fallen) > 5
    for row in fallen:
        signals = dict(row["signals"])
        first = kept[int(signals["duplicate_of_index"])]
        assert first["index"] < row["index"]
        equal = [text_of(row[column]) == text_of(first[column]) for column in ("prompt", "completion")]
        assert [signals["duplicate_instruction"] == 1, signals["duplicate_response"] == 1] == equal
        assert row["reasons"] == ["duplicate"] if any(equal) else ["near_duplicate"]
    asked = runs.server.stats()["asked"]
    generate_step(runs("by_samples", samples=len(found)))
    assert runs.server.stats()["asked"] == 2 * asked  # no cell was begun that the target did not need


def test_the_order_of_arrival_does_not_matter(runs: Runs) -> None:
    for name, in_flight in (("one", 1), ("many", 16)):
        generate_step(runs(name, in_flight, accepted=12))
    assert shards(runs("one")) == shards(runs("many"))


def test_going_on_is_one_undisturbed_run_and_signs_nothing_twice_with_or_without_the_cache(runs: Runs) -> None:
    whole = runs("whole", samples=40)
    generate_step(whole)
    for name in ("kept", "lost"):
        generate_step(runs(name, samples=18))
        before = signed(runs(name))
        if name == "lost":
            (runs(name).work / SIGNATURES).unlink()
        generate_step(runs(name, samples=40))
        assert shards(runs(name)) == shards(whole)
        assert signed(runs("kept")) == signed(whole) > before


def test_switched_off_and_on_again_ends_with_the_same_bytes_and_asks_nothing(runs: Runs) -> None:
    config, off = runs("out", samples=30), runs("out", samples=30, filters={"near_duplicates": {"enabled": False}})
    generate_step(config)
    before, asked, on_disk = shards(config), runs.server.stats()["asked"], signed(config)
    filter_step(off)
    assert not any(DUPLICATES & set(row["reasons"]) for row in rows(config))
    assert not any(name.startswith("duplicate") for row in rows(config) for name, _ in row["signals"])
    filter_step(config)
    assert shards(config) == before
    filter_step(config)
    assert shards(config) == before
    assert (runs.server.stats()["asked"], signed(config)) == (asked, on_disk)


def test_rows_of_an_earlier_plan_count_and_it_is_named(runs: Runs) -> None:
    first, second = runs("out", samples=30), runs("out", samples=30, seed=2)
    generate_step(first)
    earlier = {row["id"]: row for row in rows(first)}
    generate_step(second)
    later = [row for row in rows(second) if row["id"] not in earlier]
    plan = next(iter(earlier.values()))["plan"]
    kept = [row for row in (*earlier.values(), *later) if row["verdict"] == "accepted"]
    for column in ("prompt", "completion"):
        assert len({text_of(row[column]) for row in kept}) == len(kept)
    of_plan = [dict(row["signals"]).get("duplicate_of_plan") for row in later]
    assert int(plan[:8], 16) in of_plan
    before = shards(second)
    filter_step(second)
    assert shards(second) == before


def test_a_person_may_keep_a_duplicate_and_makes_no_other_row_one(runs: Runs) -> None:
    config = runs("out", samples=30)
    run(config)
    found = rows(config)
    fallen = next(row for row in found if row["reasons"] == ["duplicate"])
    first = next(row for row in found if row["index"] == dict(fallen["signals"])["duplicate_of_index"])
    lines = [f'{{"id": "{fallen["id"]}", "verdict": "accepted"}}', f'{{"id": "{first["id"]}", "verdict": "rejected"}}']
    (config.output / "overrides.jsonl").write_text("\n".join(lines))
    run(config)
    spoken = {fallen["id"]: ("accepted", ["duplicate"]), first["id"]: ("rejected", ["override"])}
    for old, new in zip(found, rows(config), strict=True):
        assert (new["verdict"], new["reasons"]) == spoken.get(new["id"], (old["verdict"], old["reasons"]))


def test_skill_mix_prompts_are_alike_by_design_and_not_compared(runs: Runs) -> None:
    config = runs("out", kind="skill_mix", k=1, samples=30, filters={"too_many_sentences": {"enabled": False}})
    generate_step(config)
    found = rows(config)
    kept = [text_of(row["completion"]) for row in found if row["verdict"] == "accepted"]
    assert len(kept) == len(set(kept)) > 5
    assert all(dict(row["signals"]).get("duplicate_instruction", 0) == 0 for row in found)
