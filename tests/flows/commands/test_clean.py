"""`skillmill clean` frees shards and replies; nothing is generated twice and near-duplicates are still found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from skillmill.data.store import sample_store

CommandLine = Callable[..., tuple[int, str, str]]


@pytest.fixture
def two_plans(tmp_path: Path, scripted_server: Callable[..., Any], command_line: CommandLine) -> Callable[..., int]:
    """Write the configuration with changes; in it, a run with k = 2 and one with k = 3 are finished."""
    server = scripted_server(copies=40)

    def write(k: int, samples: int, **sections: Any) -> int:
        """Write the configuration; return how many requests there were so far."""
        content = {
            "output_dir": "out",
            "work_dir": "work",
            "taxonomy": "builtin:instruct",
            "teacher": {"kind": "openai", "model": "scripted", "base_url": server.base_url, "max_in_flight": 4},
            "generation": {"samples": samples, "k": k},
            "pairs": {"sources": ["brevity"]},
        }
        (tmp_path / "skillmill.yaml").write_text(yaml.safe_dump(content | sections))
        return int(server.stats()["asked"])

    for k in (2, 3):
        write(k, 8)
        assert command_line("run", "-c", "skillmill.yaml")[0] == 0
    return write


def sizes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_clean_frees_the_plans_that_no_kept_version_has(
    tmp_path: Path, two_plans: Callable[..., int], command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = dict.fromkeys(shard.plan for shard in sample_store(tmp_path / "out").shards)
    export = {path: path.read_bytes() for path in (tmp_path / "out" / "export").rglob("*.parquet")}
    before = sizes(tmp_path / "out")
    monkeypatch.chdir("/")  # `work_dir` is found from any folder
    directory = str(tmp_path / "out")
    code, would, _ = command_line("clean", directory, "--versions", "1", "--dry-run")
    assert (code, sizes(tmp_path / "out")) == (0, before)
    code, freed, said = command_line("clean", directory, "--versions", "1")
    assert code == 0
    assert freed.split()[0] == would.split()[0] != "0"
    assert f"shards of plan {first[:8]}" in said
    assert "journal.sqlite" in said
    assert {shard.plan for shard in sample_store(tmp_path / "out").shards} == {second}
    assert {path: path.read_bytes() for path in (tmp_path / "out" / "export").rglob("*.parquet")} == export
    assert command_line("clean", directory, "--versions", "1")[1].startswith("0 bytes")


def test_replies_of_the_kept_plan_stay(
    tmp_path: Path, two_plans: Callable[..., int], command_line: CommandLine
) -> None:
    command_line("clean", "out", "--versions", "1")
    asked = two_plans(3, 8, pairs={"sources": ["draft", "brevity"]})
    code, _, said = command_line("pairs", "-c", "skillmill.yaml")
    assert (code, "made from draft, brevity" in said) == (0, True), said
    assert two_plans(3, 8) == asked


def test_cells_of_freed_shards_are_not_generated_again(
    tmp_path: Path, two_plans: Callable[..., int], command_line: CommandLine
) -> None:
    store = sample_store(tmp_path / "out")
    first = store.shards[0].plan
    tried = {row["cell"] for table in store.tables([first]) for row in table.to_pylist()}
    command_line("clean", "out", "--versions", "1")
    two_plans(2, 12)
    assert command_line("run", "-c", "skillmill.yaml")[0] == 0
    new = {row["cell"] for table in sample_store(tmp_path / "out").tables([first]) for row in table.to_pylist()}
    assert len(new) == 12
    assert not new & tried


def test_near_duplicates_of_freed_rows_are_still_found(
    tmp_path: Path, two_plans: Callable[..., int], command_line: CommandLine
) -> None:
    folder = tmp_path / "out" / "export" / "sft"
    known = {
        row["prompt"][0]["content"] for file in folder.glob("*.parquet") for row in pq.read_table(file).to_pylist()
    }
    assert known
    command_line("clean", "out", "--versions", "1")
    two_plans(2, 40)
    assert command_line("run", "-c", "skillmill.yaml")[0] == 0
    rejected = tmp_path / "out" / "export" / "rejected"
    rows = [row for file in rejected.glob("*.parquet") for row in pq.read_table(file).to_pylist()]
    plans = {shard.plan for shard in sample_store(tmp_path / "out").shards}
    signals = [row["signals"].get("duplicate_of_plan") for row in rows if "duplicate" in "".join(row["reasons"])]
    assert any(plan is not None for plan in signals), (len(rows), plans)


def test_without_retention_nothing_is_deleted(
    tmp_path: Path, two_plans: Callable[..., int], command_line: CommandLine
) -> None:
    before = sizes(tmp_path / "out")
    code, out, said = command_line("clean", "out")
    assert (code, out, sizes(tmp_path / "out")) == (0, "0 bytes are free\n", before)
    assert "retention.versions is null" in said


@pytest.mark.parametrize(("name", "line"), [("nowhere", "nowhere holds no run"), (".", ". holds no run")])
def test_a_folder_without_a_run_is_named(command_line: CommandLine, name: str, line: str) -> None:
    code, _, said = command_line("clean", name, "--versions", "1")
    assert (code, line in said) == (2, True)
