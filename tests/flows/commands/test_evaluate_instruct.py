"""The instruct part of `skillmill evaluate` over a real server: what it writes, prints and refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
import yaml
from exports import export_stores, row_of

from skillmill.data.errors import ConfigError
from skillmill.data.store import grade_store, pair_store, sample_store
from skillmill.flows.commands.evaluate import run_evaluation
from skillmill.flows.commands.evaluate_table import print_evaluation
from skillmill.flows.config import load_config

PLAN = "a" * 16


@pytest.fixture
def project(tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    server = scripted_server()
    out = tmp_path / "out"
    samples = sample_store(out)
    samples.recover()
    samples.commit(PLAN, 0, 30, [row_of(PLAN, i) for i in range(30)], 30, 30)
    export_stores((samples, pair_store(out), grade_store(out)), {PLAN: "b" * 16}, validation=0.4)

    def model(name: str) -> dict[str, Any]:
        return {"kind": "openai", "model": name, "base_url": server.base_url}

    def write(**changes: Any) -> Path:
        evaluate: dict[str, Any] = {
            "student": model("after"),
            "baseline": model("before"),
            "taxonomy": "builtin:checkable",
            "k": [1],
        }
        evaluate |= {"samples": 2, "bootstrap": 100, "instruct": {"samples": 8}}
        content = {"output_dir": "out", "grader": model("judge"), "evaluate": evaluate, **changes}
        (tmp_path / "skillmill.yaml").write_text(yaml.safe_dump(content))
        return tmp_path / "skillmill.yaml"

    write.server = server  # type: ignore[attr-defined]
    return write


def test_answers_to_held_out_instructions(project: Any, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config(project())
    found = run_evaluation(config)
    assert orjson.loads((config.output / "evaluate" / "metrics.json").read_bytes()) == found
    assert list(found["instruct"]) == ["student", "baseline", "reference"]
    student = found["instruct"]["student"]["all"]
    assert student["counts"]["items"] == 8
    assert 0 < student["win_rate"]["value"] < 1
    assert student["win_rate"]["n"] == student["length_controlled_win_rate"]["n"] == student["counts"]["judged"]
    assert found["instruct"]["reference"]["all"]["counts"]["judged"] == 0
    rows = pq.read_table(config.output / "evaluate" / "instruct.parquet").to_pylist()
    assert [row["role"] for row in rows] == ["student"] * 8 + ["baseline"] * 8 + ["reference"] * 8
    assert {row["split"] for row in rows} == {"validation"}
    assert "## Held-out instructions" in (config.output / "evaluate" / "table.md").read_text()
    print_evaluation(found, config.output, as_json=False)
    printed = capsys.readouterr().out
    assert "at equal lengths" in printed
    assert f"{student['counts']['ties']} ties" in printed
    asked = project.server.stats()["asked"]
    assert run_evaluation(config) == found
    assert project.server.stats()["asked"] == asked  # every reply is in the journal


def test_what_cannot_be_compared_is_refused_before_the_first_request(project: Any) -> None:
    grader = {"kind": "openai", "model": "before", "base_url": project.server.base_url}
    for changes, message in (
        ({"grader": None}, r"grader: missing, and evaluate\.instruct compares answers with it"),
        ({"grader": grader}, r"grader: is the baseline 'before', and evaluate\.instruct .* expected another model"),
    ):
        with pytest.raises(ConfigError, match=message):
            run_evaluation(load_config(project(**changes)))
    with pytest.raises(ConfigError, match=r"evaluate\.instruct: out/export has no rows in test"):
        run_evaluation(load_config(project(), ["evaluate.instruct.splits=[test]"]))
    assert project.server.stats()["asked"] == 0
