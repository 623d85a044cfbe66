"""`skillmill evaluate` over a real server: what it writes, prints and refuses, and that a kill changes nothing."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from killed_runs import finish, start

from skillmill.data.errors import ConfigError
from skillmill.data.schemas import SAMPLE_SCHEMA
from skillmill.flows.commands.evaluate import run_evaluation
from skillmill.flows.commands.evaluate_table import print_evaluation
from skillmill.flows.commands.score import score
from skillmill.flows.config import load_config
from skillmill.flows.report.evaluation import evaluation_section
from skillmill.train.evaluation.skill_mix_metrics import METRICS, Bootstrap

IN_FLIGHT = 4


def taxonomy() -> dict[str, Any]:
    """Skills that texts of the scripted server show at times, two of them held out, with topics of the same kind."""
    checkers = ["exclamation", "ordinal number", "anaphora", "semicolon", "colon before a list"]
    return {
        "name": "small",
        "skills": [
            {"name": name, "checker": name, "split": "test" if place > 2 else "train"}
            for place, name in enumerate(checkers)
        ],
        "topics": [{"name": name, "split": split} for name, split in (("river", "train"), ("needle", "test"))],
    }


def write_config(folder: Path, base_url: str, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.yaml").write_text(yaml.safe_dump(taxonomy()))

    def model(name: str) -> dict[str, Any]:
        return {"kind": "openai", "model": name, "base_url": base_url, "max_in_flight": IN_FLIGHT}

    content = {
        "output_dir": "out",
        "taxonomy": "mine.yaml",
        "grader": model("judge"),
        "evaluate": {
            "student": model("after"),
            "baseline": model("before"),
            "k": [1, 2],
            "samples": 4,
            "generations": 2,
            "bootstrap": 100,
            **changes,
        },
    }
    path = folder / "skillmill.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def evaluate(path: Path, **replaced: Any) -> dict[str, Any]:
    return run_evaluation(load_config(path), **replaced)


@pytest.fixture
def project(
    tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    monkeypatch.chdir(tmp_path)
    server = scripted_server()

    def write(**changes: Any) -> Path:
        return write_config(tmp_path, server.base_url, **changes)

    return write


def test_it_writes_metrics_answers_table_and_plot(
    project: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = evaluate(project(until={"tries": 3}))
    folder = tmp_path / "out" / "evaluate"
    assert orjson.loads((folder / "metrics.json").read_bytes()) == metrics
    assert list(metrics["student"]) == ["1", "2"] and metrics["student"].keys() == metrics["baseline"].keys()
    splits = {"combinations", "skills", "topics", "skills_and_topics"}
    for role in ("student", "baseline"):
        for of_k in metrics[role].values():
            assert set(of_k) == splits
            for found in of_k.values():
                assert {*METRICS, "pass_until", "best_full_marks", "skill_fraction_minus_named"} <= set(found)
                assert {"value", "se", "low", "high", "n"} == set(found["full_marks"])
    assert metrics["models"] == {"student": "after", "baseline": "before"}
    assert metrics["settings"]["graded_by"] == "rule"
    cells = [
        pq.read_table(folder / name)["combination"].to_pylist() for name in ("answers.parquet", "baseline.parquet")
    ]
    assert cells[0] == cells[1]
    assert (folder / "table.md").read_text().count("\n|") == 2 + 4 * 2
    assert "<svg" in (folder / "before_after.svg").read_text()
    section = evaluation_section(tmp_path / "out")
    assert section is not None and len(section.rows) == 8 and "<svg" in section.plot
    assert evaluation_section(tmp_path) is None
    print_evaluation(metrics, tmp_path / "out", as_json=False)
    printed = capsys.readouterr().out
    assert "skills + topics 2" in printed and max(map(len, printed.splitlines()[:-1])) <= 80
    print_evaluation(metrics, tmp_path / "out", as_json=True)
    assert orjson.loads(capsys.readouterr().out) == metrics


def test_score_gives_the_same_numbers(project: Callable[..., Path], tmp_path: Path) -> None:
    metrics = evaluate(project(common=["anaphora"]))
    for ending, exclude, naming in (("", [], "ignore"), ("_minus_named_minus_common", ["anaphora"], "substring")):
        out = tmp_path / "score.json"
        score(tmp_path / "out/evaluate/answers.parquet", out, exclude, naming, Bootstrap(100))  # type: ignore[arg-type]
        scored = orjson.loads(out.read_bytes())["per_k"]
        for k, pooled in metrics["pooled"]["student"].items():
            for over, beginning in (("mean", ""), ("best", "best_")):
                for metric in METRICS:
                    found = pooled[f"{beginning}{metric}{ending}"]
                    assert {**scored[k][over][metric], "n": scored[k]["combinations"]} == found


def test_rules_and_a_model_grade_the_same_texts(project: Callable[..., Path], tmp_path: Path) -> None:
    metrics = evaluate(project(grader="both", baseline=None, samples=3))
    found = metrics["agreement"]
    assert 0 <= found["skills"] <= 1 and found["points"] > 0
    assert (metrics["baseline"], metrics["flips"], metrics["gain"]) == (None, None, None)
    table = pq.read_table(tmp_path / "out/evaluate/answers.parquet").to_pylist()
    assert all(row["points"] and row["grading"] == "rules" for row in table)
    assert any(row["model_points"] for row in table)
    judged = evaluate(project(grader="model", baseline=None, samples=3, runs=2))
    assert judged["settings"]["graded_by"] == "model" and judged["agreement"] is None
    gradings = pq.read_table(tmp_path / "out/evaluate/answers.parquet")["grading"].to_pylist()
    assert set(gradings) == {"judge 0", "judge 1"}


def test_the_paper_asks_in_two_turns(project: Callable[..., Path], tmp_path: Path) -> None:
    evaluate(project(protocol="paper", baseline=None, samples=1, k=[1]))
    ledger = orjson.loads((tmp_path / "out/.work/ledger.json").read_bytes())["usage"]
    texts = pq.read_table(tmp_path / "out/evaluate/answers.parquet").num_rows
    assert ledger["evaluate"]["calls"] == 2 * texts and set(ledger) == {"evaluate"}


def test_a_second_call_asks_only_what_failed(
    tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server = scripted_server(bad="needle")  # the topics that are held out are bad requests
    splits = ["combinations", "topics"]
    path = write_config(tmp_path, server.base_url, samples=2, k=[1], generations=1, splits=splits)
    metrics = evaluate(path)
    assert set(metrics["student"]["1"]) == {"combinations"}
    asked = server.stats()["asked"]
    assert evaluate(path) == metrics
    repeated = server.stats()["asked"] - asked
    failed = [row for row in pq.read_table("out/evaluate/answers.parquet").to_pylist() if row["failure"]]
    assert repeated == 2 * len(failed)  # of both models: only what failed is asked again


def test_killed_it_ends_with_the_same_bytes_and_asks_nothing_twice(
    tmp_path: Path, scripted_server: Callable[..., Any]
) -> None:
    undisturbed = scripted_server(latency=0.02)
    whole = write_config(tmp_path / "whole", undisturbed.base_url, grader="both", samples=6, generations=1)
    finish(whole, "evaluate")
    requests = undisturbed.stats()["asked"]

    server = scripted_server(latency=0.02)
    killed = write_config(tmp_path / "killed", server.base_url, grader="both", samples=6, generations=1)
    for share in (0.2, 0.7):
        process = start(killed, "evaluate")
        deadline = time.monotonic() + 60
        while server.stats()["asked"] < share * requests and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert not (killed.parent / "out/evaluate/metrics.json").exists()
    finish(killed, "evaluate")
    for name in ("metrics.json", "answers.parquet", "baseline.parquet", "table.md", "before_after.svg"):
        assert (killed.parent / "out/evaluate" / name).read_bytes() == (
            whole.parent / "out/evaluate" / name
        ).read_bytes()
    stats = server.stats()
    assert stats["repeated"] <= 2 * 2 * IN_FLIGHT  # two kills, student and judge
    assert stats["asked"] - stats["repeated"] == requests


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"student": "./nothing"}, "evaluate.student: there is no folder nothing"),
        ({"student": "mine.yaml"}, "is a file, expected a folder of a model, or a .gguf file"),
        ({"student": "."}, "holds neither config.json nor adapter_config.json"),
        ({"student": "last"}, "holds no trained student; run `skillmill train sft` first"),
        ({"k": [4]}, "evaluate.k: 4 is larger than the number of skills, 3"),
        ({"taxonomy": "builtin:language", "grader": "rule"}, "evaluate.grader: rule, but the skill"),
        ({"taxonomy": "builtin:nothing"}, "evaluate.taxonomy.source: there is no builtin:nothing"),
        ({"held_out": "validation", "splits": ["topics"]}, "no topics held out for validation"),
    ],
)
def test_what_cannot_be_evaluated_is_said_before_the_first_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_config(tmp_path, "http://127.0.0.1:9/v1", **changes)
    with pytest.raises(Exception, match=said):
        evaluate(path)
    assert not (tmp_path / "out/evaluate").exists()


def test_no_grader_and_no_rules_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_config(tmp_path, "http://127.0.0.1:9/v1", taxonomy="builtin:language")
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "grader": None}))
    with pytest.raises(ConfigError, match=r"grader: missing, and evaluate\.grader is model;"):
        evaluate(path)


def test_a_held_out_set_that_leaked_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_config(tmp_path, "http://127.0.0.1:9/v1")
    folder = tmp_path / "out/export/sft"
    folder.mkdir(parents=True)
    row = {"skills": ["semicolon"], "topic": "river", "completion": [{"role": "assistant", "content": "So it is."}]}
    schema = pa.schema([SAMPLE_SCHEMA.field(name) for name in row])
    pq.write_table(pa.Table.from_pylist([row], schema=schema), folder / "train-00000.parquet")
    with pytest.raises(ConfigError, match="the held-out skill 'semicolon' is in 1 of the rows"):
        evaluate(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{k: 2}", "evaluate.k"),
        ("{k: []}", "evaluate.k: expected at least one"),
        ("{samples: 0}", "evaluate.samples"),
        ("{grader: anyone}", "evaluate.grader: Input should be 'rule', 'model' or 'both'"),
        ("{until: {passes: 3, tries: 2}}", "evaluate.until"),
        ("{student: {kind: telepathy}}", "evaluate.student"),
        ("{nothing: 1}", "evaluate.nothing: unknown key"),
    ],
)
def test_a_wrong_block_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "skillmill.yaml"
    path.write_text(f"evaluate: {text}\n")
    with pytest.raises(ConfigError, match=said) as raised:
        load_config(path)
    assert "\n" not in str(raised.value)
