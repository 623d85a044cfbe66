"""A run on a real Prefect server: its name, its parameters, its tasks and its artifact."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect_server import PrefectServer, running_server

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    with running_server(tmp_path_factory.mktemp("prefect")) as server:
        yield server


def run(server: PrefectServer, folder: Path, content: dict[str, Any], *flags: str) -> subprocess.CompletedProcess[str]:
    (folder / "skillmill.yaml").write_text(yaml.safe_dump(content))
    command = [sys.executable, "-m", "skillmill.flows.cli", "run", "-c", "skillmill.yaml", *flags]
    environment = {**server.environment, "OPENAI_API_KEY": "sk-not-to-be-seen"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)


def test_a_run_shows_with_its_name_parameters_tasks_and_funnel(
    prefect_server: PrefectServer, tmp_path: Path, scripted_server: Callable[..., Any]
) -> None:
    teacher = {"kind": "openai", "model": "scripted", "base_url": scripted_server().base_url}
    content = {"name": "shown in the UI", "output_dir": "out", "teacher": teacher, "generation": {"samples": 200}}
    finished = run(prefect_server, tmp_path, content, "--set", "generation.samples=9")
    assert finished.returncode == 0, finished.stderr
    assert "dataset    out/export" in finished.stdout

    [flow_run] = [found for found in prefect_server.rows("flow_runs") if found["name"] == "shown in the UI"]
    assert flow_run["state_type"] == "COMPLETED"
    assert flow_run["parameters"] == {"config_path": "skillmill.yaml", "overrides": ["generation.samples=9"]}
    tasks = {task["name"]: task for task in prefect_server.rows("task_runs")}
    assert set(tasks) == {"taxonomy", "generate", "filter", "pairs", "export", "report"}
    assert {task["state_type"] for task in tasks.values()} == {"COMPLETED"}
    [artifact] = [found for found in prefect_server.rows("artifacts") if found["key"] == "funnel"]
    assert "| cells | 9 |" in artifact["data"]
    assert "sk-not-to-be-seen" not in json.dumps([flow_run, artifact, *tasks.values()])

    messages = [line for line in finished.stderr.splitlines() if line.startswith("generate: ")]
    assert len(messages) == 1  # neither Prefect's console nor a second handler repeats it
    logged = [line for line in prefect_server.rows("logs") if line["flow_run_id"] == flow_run["id"]]
    [generated] = [line for line in logged if line["message"] == messages[0]]
    assert generated["name"].startswith("skillmill.flows.")
    assert generated["task_run_id"] == tasks["generate"]["id"]


def test_a_run_without_the_command_line_logs_there_and_on_prefects_console(
    prefect_server: PrefectServer, tmp_path: Path, scripted_server: Callable[..., Any]
) -> None:
    teacher = {"kind": "openai", "model": "scripted", "base_url": scripted_server().base_url}
    content = {"name": "deployed", "output_dir": "out", "teacher": teacher, "generation": {"samples": 2}}
    (tmp_path / "skillmill.yaml").write_text(yaml.safe_dump(content))
    code = "from skillmill.flows.prefect_run import skillmill_run; skillmill_run('skillmill.yaml', [])"
    command = [sys.executable, "-c", code]
    finished = subprocess.run(
        command, cwd=tmp_path, env=prefect_server.environment, capture_output=True, text=True, timeout=240
    )
    assert finished.returncode == 0, finished.stderr
    [flow_run] = [row for row in prefect_server.rows("flow_runs") if row["name"] == "deployed"]
    logged = [row["message"] for row in prefect_server.rows("logs") if row["flow_run_id"] == flow_run["id"]]
    [generated] = [message for message in logged if message.startswith("generate: 2 of ")]
    assert finished.stderr.count(generated) == 1


def test_a_failed_run_is_failed_there_and_one_clear_line_here(prefect_server: PrefectServer, tmp_path: Path) -> None:
    teacher = {"kind": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
    content = {"name": "nobody there", "output_dir": "out", "teacher": teacher}
    finished = run(prefect_server, tmp_path, content)
    assert finished.returncode == 1
    assert finished.stderr.strip().splitlines()[-1].startswith("skillmill: teacher.base_url: cannot reach")
    assert "Traceback" not in finished.stderr
    [flow_run] = [found for found in prefect_server.rows("flow_runs") if found["name"] == "nobody there"]
    assert flow_run["state_type"] == "FAILED"
    [generate] = [task for task in prefect_server.rows("task_runs") if task["flow_run_id"] == flow_run["id"]
                  and task["name"] == "generate"]  # fmt: skip
    assert generate["run_count"] == 3  # a teacher that is away is tried again


def test_a_server_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "skillmill.yaml").write_text("output_dir: out\n")
    command = [sys.executable, "-m", "skillmill.flows.cli", "run", "-c", "skillmill.yaml"]
    environment = {**os.environ, "PREFECT_API_URL": "http://127.0.0.1:9/api", "PREFECT_HOME": str(tmp_path / "home")}
    finished = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 1
    [line] = finished.stderr.splitlines()
    assert line.startswith("skillmill: PREFECT_API_URL: cannot reach http://127.0.0.1:9/api (")
    assert not (tmp_path / "out").exists()


def test_the_deployments_of_the_repository_are_taken_by_a_server(prefect_server: PrefectServer) -> None:
    prefect_server.prefect("work-pool", "create", "--type", "process", "skillmill")
    prefect_server.prefect("deploy", "--all", cwd=ROOT)
    deployments = {row["name"]: row for row in prefect_server.rows("deployments")}
    assert set(deployments) == {"run", "refresh", "taxonomy", "generate", "filter", "publish", "train", "evaluate"}
    for deployment in deployments.values():
        assert deployment["entrypoint"].startswith("flows/deployments/flows.py:")
        assert (ROOT / deployment["parameters"]["config_path"]).is_file()
        assert set(deployment["parameters"]) <= set(deployment["parameter_openapi_schema"]["properties"])
