"""`generation.test`: cells of held-out skills are generated beside the plan and exported as the split test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
import yaml

from skillmill.data.versions import read_versions

CommandLine = Callable[..., tuple[int, str, str]]
HELD_OUT = {"skill g", "skill h", "skill i", "skill j"}


def write(folder: Path, address: str, held_out: str = "test", **generation: Any) -> None:
    skills = [
        {"name": name, "definition": f"Doing {name[-1]}.", **({"split": held_out} if name in HELD_OUT else {})}
        for name in (f"skill {letter}" for letter in "abcdefghij")
    ]
    themes = [{"name": "How-to", "definition": "wants steps"}, {"name": "Why", "definition": "wants causes"}]
    (folder / "mine.yaml").write_text(yaml.safe_dump({"skills": skills, "query_types": themes}))
    content = {
        "output_dir": "out",
        "taxonomy": "mine.yaml",
        "teacher": {"kind": "openai", "model": "scripted", "base_url": address, "sampling": {"max_tokens": 600}},
        "generation": {"samples": 8, "test": 6} | generation,
        "refresh": {"samples": 4},
    }
    (folder / "skillmill.yaml").write_text(yaml.safe_dump(content))


def exported(folder: Path, split: str) -> list[dict[str, Any]]:
    files = [path for name in ("sft", "rejected") for path in (folder / "out/export" / name).glob(f"{split}-*.parquet")]
    return [row for path in files for row in pq.read_table(path).to_pylist()]


def test_held_out_cells_are_the_split_test_and_in_no_other(
    tmp_path: Path, scripted_server: Callable[..., Any], command_line: CommandLine
) -> None:
    server = scripted_server()
    write(tmp_path, server.base_url)
    code, _, said = command_line("run", "-c", "skillmill.yaml")
    assert code == 0, said
    for split, cells in (("train", 8), ("test", 6)):
        rows = exported(tmp_path, split)
        assert len({row["cell"] for row in rows}) == len(rows) == cells
        assert all((set(row["skills"]) <= HELD_OUT) == (split == "test") for row in rows)
        assert split == "test" or not any(set(row["skills"]) & HELD_OUT for row in rows)
    loaded = datasets.load_dataset(str(tmp_path / "out/export"), split="test", cache_dir=str(tmp_path / "hf"))
    assert set(loaded["split"]) == {"test"}
    pairs = [pq.read_table(path).num_rows for path in (tmp_path / "out/export/preference").glob("test-*.parquet")]
    assert sum(pairs) == 0

    asked = server.stats()["asked"]
    code, _, said = command_line("run", "-c", "skillmill.yaml")
    assert "changed since the last run" not in said
    assert (code, server.stats()["asked"]) == (0, asked)
    before = exported(tmp_path, "test")
    assert command_line("refresh", "-c", "skillmill.yaml")[0] == 0
    assert exported(tmp_path, "test") == before
    assert len(exported(tmp_path, "train")) == 12
    assert [len(each.plans) for each in read_versions(tmp_path / "out").entries] == [2, 2]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"test": 13}, "generation.test: 13 cells asked for, but k = 2 of 4 skills x 2 query types has 12"),
        ({"test": 0}, "generation.test: Input should be greater than or equal to 1"),
        ({"held_out": "validation"}, "taxonomy: nothing is held out for test"),
        ({"k": 5}, "generation.k: 5 is larger than the number of skills, 4"),
    ],
)
def test_a_share_that_cannot_be_drawn_is_one_line_before_the_first_request(
    tmp_path: Path, command_line: CommandLine, changes: dict[str, Any], line: str
) -> None:
    write(tmp_path, "http://127.0.0.1:9/v1", **changes)
    code, _, said = command_line("run", "-c", "skillmill.yaml")
    assert (code, said.count("\n")) == (2, 1)
    assert line in said
    assert not (tmp_path / "out").exists()
