"""Whole commands against servers that report no tokens, only think, stream, miss schemas, or ask to wait."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
import yaml

from tests.flows.conftest import CommandLine

Write = Callable[..., Any]


@pytest.fixture
def write(tmp_path: Path, scripted_server: Callable[..., Any]) -> Write:
    """`write(server={"usage": "none"}, budget={…})`: a configuration over a server with these options; the server."""

    def make(server: dict[str, Any], **sections: Any) -> Any:
        started = scripted_server(**server)
        teacher = {"kind": "openai", "model": "m", "base_url": started.base_url, "max_in_flight": 2}
        teacher |= sections.pop("teacher", {})
        content = {"output_dir": "out", "teacher": teacher, "generation": {"samples": 12}} | sections
        (tmp_path / "skillmill.yaml").write_text(yaml.safe_dump(content))
        return started

    return make


def rows(folder: Path) -> list[dict[str, Any]]:
    tables = [pq.ParquetFile(shard).read() for shard in sorted((folder / "out" / "shards").glob("*.parquet"))]
    return [row for table in tables for row in table.to_pylist()]


@pytest.mark.parametrize("usage", ["none", "zeros", "total"])
@pytest.mark.parametrize("budget", [{"tokens": 8000}, {"money": 0.01}])
def test_a_budget_holds_without_token_counts(
    command_line: CommandLine, write: Write, tmp_path: Path, usage: str, budget: dict[str, float]
) -> None:
    write({"usage": usage}, budget=budget, prices={"input": 1, "output": 2})
    code, out, errors = command_line("generate", "-c", "skillmill.yaml")
    assert code == 0
    assert f"budget.{next(iter(budget))}: " in out + errors
    assert (out + errors).count("reports no token counts") == 1
    state = orjson.loads((tmp_path / "out" / "run.json").read_bytes())
    assert state["status"] == "partial"
    assert state["totals"]["estimated_calls"] == state["totals"]["calls"] > 0
    assert state["totals"]["tokens"] > 0


def test_a_probe_says_that_its_figures_are_estimates(command_line: CommandLine, write: Write) -> None:
    write({"usage": "zeros"}, prices={"input": 1, "output": 4})
    code, out, errors = command_line("plan", "-c", "skillmill.yaml", "--probe", "-n", "2")
    assert code == 0
    total = next(line for line in out.splitlines() if line.startswith("total"))
    assert float(total.split()[-1]) > 0
    assert "The server reports no token counts: tokens and money are estimated" in out
    assert (out + errors).count("reports no token counts: tokens, money and the budget") == 1


@pytest.mark.parametrize("kind", ["instruct_skill_mix", "skill_mix"])
@pytest.mark.parametrize("enabled", [True, False])
def test_replies_that_only_thought_are_cut_off(
    command_line: CommandLine, write: Write, tmp_path: Path, kind: str, enabled: bool
) -> None:
    generation = {"kind": kind, "samples": 12}
    write({"usage": "thought"}, generation=generation, filters={"cut_off": {"enabled": enabled}})
    code, out, errors = command_line("generate", "-c", "skillmill.yaml")
    assert code == 0
    made = rows(tmp_path)
    assert len(made) == 12
    for row in made:
        assert (row["verdict"], row["reasons"]) == ("rejected", ["cut_off"])
        assert row["explanation"].startswith("max_tokens went into thinking: no text came within the 1,024 tokens")
    assert "rejected as cut_off" in out + errors
    assert "switch the model's thinking off" in out + errors
    assert command_line("filter", "-c", "skillmill.yaml")[0] == 0
    assert rows(tmp_path) == made


def test_a_server_that_streams_and_misses_schemas_gives_the_same_rows(
    command_line: CommandLine, write: Write, tmp_path: Path
) -> None:
    found = []
    for name, server in (("plain", {}), ("odd", {"stream": 1, "invalid": 5})):
        write(server)
        assert command_line("generate", "-c", "skillmill.yaml")[0] == 0
        found.append(rows(tmp_path))
        (tmp_path / "out").rename(tmp_path / name)
    assert found[0] == found[1]


def test_a_daily_limit_ends_the_run_and_says_when_to_come_back(command_line: CommandLine, write: Write) -> None:
    words = '429:{"error": {"message": "Limit of tokens per day reached. Please try again in 7h12m."}}'
    write({"error": words})
    code, _, errors = command_line("generate", "-c", "skillmill.yaml")
    assert code == 1
    [line] = [line for line in errors.splitlines() if "asks to wait" in line]
    assert re.search(
        r"asks to wait 25920 s, longer than retry\.longest_wait_s \(600\): HTTP 429: Limit of tokens per day reached.*"
        r"run again after [\d-]*.*\d\d:\d\d",
        line,
    )


def test_a_wait_is_slept_through_by_choice(command_line: CommandLine, write: Write) -> None:
    retry = {"longest_wait_s": 3, "patience_s": 0.5}
    write({"error": "429:Please try again in 1s", "errors": "1-2"}, teacher={"retry": retry})
    code, out, errors = command_line("generate", "-c", "skillmill.yaml")
    assert code == 0
    assert "12 of 12 cells" in out + errors
