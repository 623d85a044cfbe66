"""The steps joined, over a real HTTP teacher: what lies in `output_dir` and what is said when it cannot."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
import yaml

from skillmill.data.errors import ConfigError, SkillmillError, StoreError, TeacherError
from skillmill.flows.config import Config, parse_config
from skillmill.flows.pipeline import run
from skillmill.flows.rows.generate import GenerateOutcome, generate
from skillmill.flows.runtime.workspace import open_workspace
from skillmill.flows.steps.taxonomy import current_plan

TAXONOMY = {
    "skills": [
        {"name": f"skill {letter}", "category": "c", "definition": f"The act of doing {letter}."} for letter in "abcdef"
    ],
    "topics": [{"name": "Beekeeping"}, {"name": "Knots"}],
    "query_types": [{"name": "How-to", "definition": "wants steps"}, {"name": "Why", "definition": "wants causes"}],
}


@pytest.fixture
def configure(tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """`configure(server={...}, generation={...})` in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(TAXONOMY))
    servers: dict[str, Any] = {}

    def make(server: dict[str, Any] | None = None, **sections: Any) -> Config:
        if server is not None or not servers:
            servers["current"] = scripted_server(**(server or {}))
        content = {
            "name": "test",
            "output_dir": "out",
            "taxonomy": str(tmp_path / "mine.yaml"),
            "teacher": {
                "kind": "openai",
                "model": "scripted",
                "base_url": servers["current"].base_url,
                "max_in_flight": 4,
                "sampling": {"max_tokens": 600},
            },
            "generation": {"samples": 12, "shard_rows": 5},
        }
        return parse_config(content | sections)

    return make


def rows(config: Config, configuration: str = "sft") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(config.output / "export" / configuration).to_pylist()
    return found


def state(config: Config) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((config.output / "run.json").read_bytes())
    return found


def all_rows(config: Config) -> list[dict[str, Any]]:
    return sorted(rows(config) + rows(config, "rejected"), key=lambda row: row["index"])


def test_a_run_leaves_what_the_design_says(configure: Any) -> None:
    config = configure(pairs={"sources": ["draft", "brevity", "junk"]})
    found = run(config)
    assert found == {"dataset": config.output / "export", "report": config.output / "report.html"}
    left = {path.name for path in config.output.iterdir()}
    stores = {"shards", "pairs", "grades", "plans", "manifest.jsonl", "versions.jsonl"}
    assert left == stores | {"taxonomy.yaml", "export", "report.html", "run.json", ".work"}
    plan = state(config)["plan"][:8]
    shards = sorted(path.name for path in (config.output / "shards").iterdir())
    assert shards == [f"part-{plan}-{start:012}.parquet" for start in (0, 5, 10)]
    everything = all_rows(config)
    assert [row["index"] for row in everything] == list(range(12))
    assert len({row["id"] for row in everything}) == 12
    assert state(config)["status"] == "finished"
    assert state(config)["funnel"]["cells"] == 12
    accepted = rows(config)
    assert accepted
    pairs = rows(config, "preference")
    assert {pair["rejected_source"] for pair in pairs} == {"draft", "brevity", "junk"}
    assert len(pairs) <= 3 * len(accepted)
    chosen = {row["prompt"][0]["content"]: row["completion"] for row in accepted}
    assert all(pair["chosen"] == chosen[pair["prompt"][0]["content"]] != pair["rejected"] for pair in pairs)


def test_every_rejected_row_has_its_reasons(configure: Any) -> None:
    config = configure(generation={"samples": 30, "keep": "final"})
    run(config)
    rejected = rows(config, "rejected")
    assert rejected
    assert all(row["reasons"] and row["verdict"] == "rejected" for row in rejected)
    assert all(not row["reasons"] and row["verdict"] == "accepted" for row in rows(config))
    assert state(config)["funnel"]["reasons"]["refusal"] == sum("refusal" in row["reasons"] for row in rejected)


def test_an_accepted_target_is_met_exactly_and_ends_at_the_shortest_prefix(configure: Any) -> None:
    config = configure(generation={"accepted": 15})
    run(config)
    everything = all_rows(config)
    assert len(rows(config)) == 15
    assert everything[-1]["verdict"] == "accepted"
    assert [row["index"] for row in everything] == list(range(len(everything)))


def test_a_target_raised_later_ends_with_the_bytes_of_one_run(configure: Any) -> None:
    def shards(config: Config) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (config.output / "shards").iterdir()}

    for target in (4, 11, 15):
        config = configure(generation={"accepted": target, "shard_rows": 5})
        run(config)
    at_once = configure(generation={"accepted": 15, "shard_rows": 5}, output_dir="at_once")
    run(at_once)
    assert shards(config) == shards(at_once)


def test_a_target_that_the_cap_does_not_allow_is_exported_and_then_an_error(configure: Any) -> None:
    config = configure(generation={"accepted": 20, "samples": 6})
    with pytest.raises(SkillmillError, match=r"generation\.accepted: \d of 20 accepted after 6 cells") as error:
        run(config)
    assert error.value.exit_code == 1
    assert len(all_rows(config)) == 6
    assert state(config)["status"] == "failed"


def test_a_used_up_space_says_so(configure: Any) -> None:
    config = configure(generation={"accepted": 30, "k": 1, "samples": 12})
    with pytest.raises(ConfigError, match=r"generation\.accepted: 30 cells asked for, but k = 1 of 6 skills .* has 12"):
        run(config)
    assert not (config.output / "taxonomy.yaml").exists()


@pytest.mark.usefixtures("messages_on_stderr")
def test_another_k_starts_a_new_plan_and_names_the_change(configure: Any, capfd: pytest.CaptureFixture[str]) -> None:
    run(configure(generation={"samples": 10}))
    first = state(configure())["plan"]
    config = configure(generation={"samples": 10, "k": 3})
    run(config)
    assert state(config)["plan"] != first
    assert "changed since the last run: generation.k;" in capfd.readouterr().err
    assert {row["k"] for row in all_rows(config)} == {3}


def test_cells_that_another_plan_has_tried_are_skipped(configure: Any) -> None:
    shards = {}
    for seed in (1, 2):
        config = configure(seed=seed, generation={"samples": 14, "k": 2})
        run(config)
        shards[seed] = {row["cell"] for row in all_rows(config)}
    assert len(shards[1]) == len(shards[2]) == 14
    assert not shards[1] & shards[2]  # 30 cells in all: two draws of 14 would meet


def test_other_filters_are_not_another_plan(configure: Any) -> None:
    config = configure()
    run(config)
    run(configure(filters={"refusal": {"enabled": False}}))
    assert len({path.name.split("-")[1] for path in (config.output / "shards").iterdir()}) == 1


def test_a_bad_request_costs_its_rows_alone(configure: Any) -> None:
    config = configure(server={"bad": "doing c"}, generation={"samples": 30, "generations": 2})
    run(config)
    everything = all_rows(config)
    assert {row["index"] for row in everything} == set(range(30))
    for row in everything:
        assert ("bad_request" in row["reasons"]) == ("skill c" in row["skills"])
    bad = next(row for row in everything if "bad_request" in row["reasons"])
    assert "this prompt is not welcome" in bad["explanation"]


def test_faults_lose_no_row_and_double_none(configure: Any) -> None:
    config = configure(server={"faults": 0.2}, generation={"samples": 24})
    run(config)
    assert [row["index"] for row in all_rows(config)] == list(range(24))
    assert not any("transport" in row["reasons"] for row in all_rows(config))


def test_a_teacher_that_dies_stops_the_run_and_keeps_what_was_finished(
    configure: Any, scripted_server: Callable[..., Any]
) -> None:
    server = scripted_server(latency=0.02)
    teacher = {"kind": "openai", "model": "scripted", "base_url": server.base_url, "max_in_flight": 4}
    teacher["retry"] = {"patience_s": 1}
    config = configure(teacher=teacher, generation={"samples": 30, "shard_rows": 1000})
    plan = current_plan(config)
    decided = 0

    def kill_half_way(outcome: GenerateOutcome) -> None:
        nonlocal decided
        decided = outcome.cells
        if decided == 12:
            server.process.kill()

    with open_workspace(config) as workspace:
        with pytest.raises(TeacherError, match=r"keeps failing.*what was finished is kept"):
            asyncio.run(generate(workspace, plan, kill_half_way))
        [shard] = workspace.samples.of_plan(plan.fingerprint)
    assert shard.cells == decided >= 12


def test_a_taxonomy_in_the_output_directory_is_used_and_never_overwritten(configure: Any) -> None:
    config = configure()
    config.output.mkdir()
    own = {**TAXONOMY, "skills": [*TAXONOMY["skills"], {"name": "my own skill", "definition": "Mine."}]}
    text = yaml.safe_dump(own)
    (config.output / "taxonomy.yaml").write_text(text)
    run(config)
    assert (config.output / "taxonomy.yaml").read_text() == text


def test_an_output_directory_that_cannot_be_written_is_named(configure: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match=r"output_dir: cannot write file/run"):
        run(configure(output_dir="file/run"))


def test_a_damaged_run_json_is_named(configure: Any) -> None:
    config = configure()
    run(config)
    (config.output / "run.json").write_text("{half")
    with pytest.raises(StoreError, match=r"run\.json is not JSON"):
        run(config)


def test_headers_are_not_written_down(configure: Any) -> None:
    config = configure(taxonomy="builtin:language")
    teacher = config.teacher.model_copy(update={"headers": {"X-Key": "very-secret-value"}})
    run(config.model_copy(update={"teacher": teacher}))
    for path in config.output.rglob("*"):
        if path.is_file():
            assert b"very-secret-value" not in path.read_bytes(), path


def command(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "skillmill.flows.cli", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "-c", "nothing.yaml"], 2, "cannot read the configuration nothing.yaml"),
        (["run"], 2, "-c"),
        (["run", "-c", "bad.yaml"], 2, "sede: unknown key"),
        (["run", "-c", "good.yaml", "--set", "generation.k=999"], 2, "generation.k: 999 is larger than the number"),
        (["run", "-c", "good.yaml", "--set", "runner.kind=spark"], 2, "runner.kind: "),
        (["run", "-c", "good.yaml", "--set", "taxonomy=none.yaml"], 2, "none.yaml: No such file"),
        (["run", "-c", "good.yaml"], 1, "teacher.base_url: cannot reach http://127.0.0.1:9/v1"),
        (["evaluate", "-c", "good.yaml"], 2, "grader: missing, and evaluate.grader is model"),
        (["taxonomy", "show", "builtin:nothing"], 2, "there is no builtin:nothing"),
        (["status", "."], 2, "holds no run"),
        (["export", "-c", "good.yaml"], 1, "holds no run yet"),
    ],
)
def test_one_clear_line_and_the_right_exit_code(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    (tmp_path / "bad.yaml").write_text("sede: 3")
    unreachable = {"kind": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", "timeout_s": 2}
    (tmp_path / "good.yaml").write_text(yaml.safe_dump({"output_dir": "out", "teacher": unreachable}))
    finished = command(*arguments, cwd=tmp_path)
    assert finished.returncode == code, finished.stderr
    line = finished.stderr.strip().splitlines()[-1]
    assert line.startswith("skillmill: ")
    assert said in line
    assert "Traceback" not in finished.stderr
    assert code != 2 or not (tmp_path / "out").exists()


def test_init_writes_a_file_that_runs_and_does_not_overwrite_it(tmp_path: Path) -> None:
    assert command("init", "here", cwd=tmp_path).returncode == 0
    assert command("plan", "-c", "here/skillmill.yaml", cwd=tmp_path).returncode == 0
    again = command("init", "here", cwd=tmp_path)
    assert again.returncode == 2
    assert "already there" in again.stderr
