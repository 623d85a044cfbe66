"""`skillmill taxonomy extract` over a real server: from a teacher, from a dataset, killed half way, and refused."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
import yaml

from skillmill.flows.cli.main import main
from skillmill.skill_taxonomy.extraction.agreement import REQUESTS_PER_CATEGORY, REQUESTS_PER_ROUND
from skillmill.skill_taxonomy.formats import load_taxonomy

IN_FLIGHT = 4
SMALL = {"topics": 3, "skills_per_topic": 2, "query_types": 2}
DATASET = {"dataset": "rows.jsonl", "examples": 30, "skills": 6, "topics": 3, "query_types": 2}
ROWS = [{"instruction": f"Say why knot number {n} holds.", "output": f"Because of turn {n}."} for n in range(90)]

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripted_server: Callable[..., Any]) -> Any:
    """`project(taxonomy, **server)`: writes skillmill.yaml, rows.jsonl and notes.txt, and starts its server."""
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    Path("notes.txt").write_text("A bowline holds under load. " * 200)

    def make(taxonomy: dict[str, Any], output_dir: str = "out", **options: Any) -> Any:
        server = scripted_server(**options)
        teacher = {"kind": "openai", "model": "scripted", "base_url": server.base_url, "max_in_flight": IN_FLIGHT}
        content = {"output_dir": output_dir, "taxonomy": taxonomy, "teacher": teacher, "generation": {"samples": 4}}
        Path("skillmill.yaml").write_text(yaml.safe_dump(content))
        return server

    return make


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`command("taxonomy", "extract", "--from", "teacher")` in this process: exit code and standard error."""

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["skillmill", *arguments, "-c", "skillmill.yaml"])
        with pytest.raises(SystemExit) as ended:
            main()
        errors = capsys.readouterr().err
        assert "Traceback" not in errors
        return int(str(ended.value.code)), errors

    return call


@pytest.fixture
def extract(command: Command) -> Command:
    return partial(command, "taxonomy", "extract")


def state(output_dir: str = "out") -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(Path(output_dir, "run.json").read_bytes())
    return found


def test_from_and_domain_stand_over_the_file(project: Any, extract: Command) -> None:
    project({"source": "builtin:language", **SMALL})
    domain = 'Knots: "tying", {{ 7 * 7 }}'
    code, errors = extract("--from", "teacher", "--domain", domain)
    assert code == 0, errors
    assert "from teacher, in out/taxonomy.yaml" in errors
    assert load_taxonomy(Path("out/taxonomy.yaml")).name == domain
    curves = state()["taxonomy"]["curves"]
    assert "topic" in curves
    assert len([what for what in curves if what.startswith("skills of")]) == 3
    of_kinds = {what for what in curves if what.startswith("query types of")}
    assert 1 <= len(of_kinds) <= 3
    for what, points in curves.items():
        assert points[0][0] == (REQUESTS_PER_CATEGORY if what in of_kinds else REQUESTS_PER_ROUND)
    assert state()["usage"]["taxonomy"]["calls"] > 0


def test_it_is_kept_where_more_cells_are_asked_for_than_it_has(project: Any, command: Command) -> None:
    project({"source": "teacher", **SMALL})
    code, errors = command("taxonomy", "extract", "--set", "generation.samples=100000")
    assert code == 0, errors
    assert load_taxonomy(Path("out/taxonomy.yaml")).skills
    code, errors = command("generate", "--set", "generation.samples=100000")
    assert (code, "generation.samples: 100000 cells asked for" in errors) == (2, True)


def test_a_dataset_becomes_a_taxonomy_and_a_table_of_exemplars(project: Any, extract: Command) -> None:
    project({"source": "builtin:language", **DATASET})
    code, errors = extract("--from", "dataset")
    assert code == 0, errors
    taxonomy = load_taxonomy(Path("out/taxonomy.yaml"))
    assert taxonomy.source == "30 examples of rows.jsonl, labelled by scripted, seed 42"
    assert 4 <= len(taxonomy.skills) <= 6
    rows = pq.read_table("out/taxonomy_examples.parquet").to_pylist()
    assert len({row["row"] for row in rows}) == 30
    for row in rows:
        assert (row["request"], row["answer"]) == (ROWS[row["row"]]["instruction"], ROWS[row["row"]]["output"])
        assert set(row["skills"]) <= {skill.name for skill in taxonomy.skills}
    assert all(skill.example in {row["request"] for row in rows} or not skill.example for skill in taxonomy.skills)
    assert state()["taxonomy"]["curves"]["fine labels"][-1][0] == 30


def test_the_report_draws_the_curves(project: Any, command: Command) -> None:
    project({"source": "teacher", **SMALL})
    code, errors = command("run")
    assert code == 0, errors
    page = Path("out/report.html").read_text()
    assert "How the taxonomy grew" in page
    assert page.count("<polyline") == len(state()["taxonomy"]["curves"])


@pytest.mark.parametrize("taxonomy", [{"source": "teacher", **SMALL}, {"source": "dataset", **DATASET}])
def test_killed_half_way_it_asks_for_the_rest_alone(project: Any, extract: Command, taxonomy: dict[str, Any]) -> None:
    undisturbed = project(taxonomy, "whole")
    assert extract()[0] == 0
    whole = undisturbed.stats()["asked"]
    server = project(taxonomy, latency=0.05)
    line = [sys.executable, "-m", "skillmill.flows.cli", "taxonomy", "extract", "-c", "skillmill.yaml"]
    process = subprocess.Popen(line, start_new_session=True)
    while server.stats()["asked"] < whole // 2:
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not Path("out/taxonomy.yaml").exists()
    code, errors = extract()
    assert code == 0, errors
    assert server.stats()["asked"] <= whole + IN_FLIGHT
    assert server.stats()["repeated"] <= IN_FLIGHT
    for name in ("taxonomy.yaml", "taxonomy_examples.parquet"):
        assert Path("out", name).exists() == Path("whole", name).exists()
        if Path("whole", name).exists():
            assert Path("out", name).read_bytes() == Path("whole", name).read_bytes()
    assert state()["taxonomy"] == state("whole")["taxonomy"]


def test_a_budget_ends_it_and_a_higher_one_goes_on(project: Any, extract: Command) -> None:
    server = project({"source": "dataset", **DATASET})
    code, errors = extract("--set", "budget.tokens=1500")
    assert code == 0, errors
    assert errors.strip().endswith("run again with a higher budget to go on")
    assert state()["status"] == "partial"
    assert state()["taxonomy"]["curves"]["fine labels"]
    assert not Path("out/taxonomy.yaml").exists()
    asked = server.stats()["asked"]
    assert 1 <= asked < 60
    assert extract()[0] == 0
    assert server.stats()["repeated"] == 0


def test_seeds_and_documents_are_shown_and_seeds_kept(project: Any, extract: Command) -> None:
    Path("seeds.yaml").write_text("skills: [{name: splicing rope, definition: Joining two ends by their strands.}]\n")
    project({"source": "teacher", "seed_skills": "seeds.yaml", "documents": ["notes.txt"], **SMALL})
    code, errors = extract()
    assert code == 0, errors
    first = load_taxonomy(Path("out/taxonomy.yaml")).skills[0]
    assert (first.name, first.definition) == ("splicing rope", "Joining two ends by their strands.")


@pytest.mark.parametrize("source", ["teacher", "dataset"])
def test_a_plan_says_that_the_taxonomy_has_to_be_asked_for_first(project: Any, command: Command, source: str) -> None:
    server = project({"source": source, **DATASET})
    code, errors = command("plan")
    assert code == 2
    assert errors.strip().endswith(f"{source} has not been asked yet, run `skillmill taxonomy extract` first")
    assert server.stats()["asked"] == 0


def test_a_taxonomy_that_is_there_is_not_overwritten(project: Any, extract: Command) -> None:
    server = project({"source": "dataset", **DATASET})
    Path("out").mkdir()
    Path("out/taxonomy.yaml").write_text("mine")
    code, errors = extract("--from", "teacher")
    assert (code, Path("out/taxonomy.yaml").read_text()) == (2, "mine")
    assert "never overwritten" in errors
    assert server.stats()["asked"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["taxonomy.source=dataset"], "taxonomy.dataset: expected a name on the Hugging Face hub, a file or a folder"),
        (["taxonomy.source=dataset", "taxonomy.dataset=none.jsonl"], "taxonomy.dataset: there is no file none.jsonl"),
        (
            ["taxonomy.source=dataset", "taxonomy.dataset=rows.jsonl", "taxonomy.column=txt"],
            "taxonomy.column: there is no 'txt' in rows.jsonl, expected of instruction, output",
        ),
        (["taxonomy.documents=[none.txt]"], "taxonomy.documents: cannot read none.txt: No such file"),
        (["taxonomy.seed_skills=none.yaml"], "taxonomy: cannot read none.yaml: No such file"),
        (["taxonomy.seed_skills=none"], "taxonomy.seed_skills: expected a list of names, or a taxonomy file"),
        (["taxonomy.examples=1"], "taxonomy.examples: Input should be greater than or equal to 2"),
    ],
)
def test_bad_options_are_one_line_before_anything_is_asked(
    project: Any, extract: Command, options: list[str], message: str
) -> None:
    server = project({"source": "teacher", **SMALL})
    code, errors = extract(*(part for option in options for part in ("--set", option)))
    assert code == 2
    assert errors.strip().splitlines()[-1].startswith(f"skillmill: {message}"), errors
    assert server.stats()["asked"] == 0
    assert not Path("out/taxonomy.yaml").exists()
