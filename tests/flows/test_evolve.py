"""Two runs over a real HTTP teacher, the second on the instructions of the first."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from skillmill.flows.config import Config, parse_config
from skillmill.flows.pipeline import run
from skillmill.flows.steps.filter import filter_step

TAXONOMY = {
    "skills": [{"name": f"skill {letter}", "definition": f"The act of doing {letter}."} for letter in "abcdef"],
    "query_types": [{"name": "How-to", "definition": "wants steps"}, {"name": "Why", "definition": "wants causes"}],
}


@pytest.fixture
def configure(tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(TAXONOMY))
    server = scripted_server()

    def make(output: str, **generation: Any) -> Config:
        teacher = {"kind": "openai", "model": "scripted", "base_url": server.base_url, "sampling": {"max_tokens": 600}}
        taxonomy = str(tmp_path / "mine.yaml")
        return parse_config(
            {
                "output_dir": output,
                "taxonomy": taxonomy,
                "teacher": teacher,
                "generation": {"shard_rows": 4, **generation},
            }
        )

    return make


def shards(output: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(Path(output, "shards").glob("*.parquet"))]


def rows(output: str) -> list[dict[str, Any]]:
    found = [
        row for path in sorted(Path(output, "shards").glob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]
    return sorted(found, key=lambda row: row["index"])


def test_an_evolved_run_goes_on_from_where_it_stood_and_tells_where_its_rows_come_from(configure: Any) -> None:
    run(configure("first", samples=6, difficulty={"easy": 0.5, "hard": 0.5}, language="English", balance=True))
    first = {row["id"]: row for row in rows("first")}
    assert {row["difficulty"] for row in first.values()} == {"easy", "hard"}
    assert [sum(row["query_type"] == name for row in first.values()) for name in ("How-to", "Why")] == [3, 3]
    evolve = {"parents": "first", "verdict": "any", "operators": ["deepen", "narrow"]}
    run(configure("second", samples=3, evolve=evolve))
    run(configure("second", samples=10, evolve=evolve))
    run(configure("third", samples=10, evolve=evolve))
    assert shards("second") == shards("third")
    second = rows("second")
    assert len({(row["parent"], row["operator"]) for row in second}) == 10
    for row in second:
        parent = first[row["parent"]]
        assert sorted(row["skills"]) == sorted(parent["skills"]) and row["query_type"] == parent["query_type"]
        assert (row["language"], row["difficulty"]) == ("English", None) and row["operator"] in evolve["operators"]
    exported = pq.read_table("second/export/sft").to_pylist() + pq.read_table("second/export/rejected").to_pylist()
    assert {row["parent"] for row in exported} == {row["parent"] for row in second}


def test_evolved_rows_are_decided_again_without_the_teacher(configure: Any) -> None:
    run(configure("first", samples=4))
    config = configure("second", samples=5, evolve={"parents": "first", "verdict": "any"})
    run(config)
    before = shards("second")
    filter_step(config)
    assert shards("second") == before
