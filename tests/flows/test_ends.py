"""What `run.json` and `status` say of runs that did not finish, and the exit code of runs without a row."""

import json
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

RUN = [sys.executable, "-m", "skillmill.flows.cli"]


def configure(folder: Path, base_url: str, **sections: Any) -> None:
    teacher = {"kind": "openai", "model": "scripted", "base_url": base_url, "retry": {"tries": 1, "patience_s": 0.5}}
    content = {"output_dir": "out", "teacher": teacher, "generation": {"samples": 6}, **sections}
    (folder / "skillmill.yaml").write_text(yaml.safe_dump(content))


def skillmill(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, **options)


def state(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "out/run.json").read_text())
    return content


def first_line_of_status(folder: Path) -> str:
    shown = skillmill(folder, "status", "out")
    assert shown.returncode == 0, shown.stderr
    return shown.stdout.splitlines()[0]


def test_a_run_that_goes_on_and_one_that_was_killed(tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    server = scripted_server(latency=300)
    configure(tmp_path, server.base_url)
    with subprocess.Popen([*RUN, "run", "-c", "skillmill.yaml"], cwd=tmp_path, stderr=subprocess.PIPE) as process:
        while server.stats()["asked"] < 1:
            time.sleep(0.05)
        assert first_line_of_status(tmp_path).startswith(f"out: running (process {process.pid}, since ")
        process.send_signal(signal.SIGKILL)
    assert state(tmp_path)["status"] == "running"
    assert first_line_of_status(tmp_path).startswith("out: interrupted (its process was killed or the disk was full")
    configure(tmp_path, scripted_server().base_url)
    assert skillmill(tmp_path, "run", "-c", "skillmill.yaml").returncode == 0
    assert first_line_of_status(tmp_path) == "out: finished"


def test_ctrl_c_is_the_reason(tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    server = scripted_server(latency=300)
    configure(tmp_path, server.base_url)
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    command = [*RUN, "run", "-c", "skillmill.yaml"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, **heed) as process:  # type: ignore[call-overload]
        while server.stats()["asked"] < 1:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert (state(tmp_path)["status"], state(tmp_path)["reason"]) == ("stopped", "Ctrl-C")
    assert first_line_of_status(tmp_path) == "out: stopped (Ctrl-C)"


@pytest.mark.parametrize("command", ["run", "generate"])
def test_a_teacher_that_is_not_there_is_the_reason(tmp_path: Path, command: str) -> None:
    configure(tmp_path, "http://127.0.0.1:9/v1")
    finished = skillmill(tmp_path, command, "-c", "skillmill.yaml")
    assert finished.returncode == 1
    assert state(tmp_path)["status"] == "stopped"
    assert state(tmp_path)["reason"].startswith("teacher.base_url: cannot reach http://127.0.0.1:9/v1")
    assert first_line_of_status(tmp_path).startswith("out: stopped (teacher.base_url: cannot reach")


def test_a_grader_that_fails_is_the_reason(tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    server = scripted_server(grades="prose")
    grading = {"when": "always", "on_failure": "stop"}
    configure(tmp_path, server.base_url, grading=grading)
    finished = skillmill(tmp_path, "run", "-c", "skillmill.yaml")
    assert finished.returncode == 1, finished.stderr
    assert state(tmp_path)["status"] == "stopped"
    assert f"skillmill: {state(tmp_path)['reason']}" == finished.stderr.splitlines()[-1]


def test_a_full_disk_does_not_leave_a_run_that_runs(tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    server = scripted_server(latency=3)
    configure(tmp_path, server.base_url)
    with subprocess.Popen(
        [*RUN, "run", "-c", "skillmill.yaml"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        while server.stats()["asked"] < 1:
            time.sleep(0.05)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, 1))  # no write succeeds any more
        _, errors = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert first_line_of_status(tmp_path).startswith("out: interrupted (its process was killed or the disk was full")


@pytest.mark.parametrize(("command", "code"), [("run", 1), ("generate", 0)])
@pytest.mark.parametrize("samples", [3, 20])
def test_a_run_without_a_row_names_the_leading_reason(
    tmp_path: Path, scripted_server: Callable[..., Any], command: str, code: int, samples: int
) -> None:
    filters = {"too_short": {"min_words": 5000}}
    configure(
        tmp_path, scripted_server().base_url, filters=filters, generation={"kind": "skill_mix", "samples": samples}
    )
    finished = skillmill(tmp_path, command, "-c", "skillmill.yaml")
    assert finished.returncode == code, finished.stderr
    assert f"{samples} rows are rejected as " in finished.stderr
    if command == "run":
        assert re.search(rf"no row was accepted: \d+ of {samples} rows are", finished.stderr.splitlines()[-1])
        assert state(tmp_path)["status"] == "failed"
        assert state(tmp_path)["reason"].startswith("generate: no row was accepted: ")
        assert (tmp_path / "out/report.html").exists()
    else:
        assert state(tmp_path)["status"] == "generated"


def test_a_directory_that_cannot_be_written_has_a_status(tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    configure(tmp_path, scripted_server().base_url)
    assert skillmill(tmp_path, "run", "-c", "skillmill.yaml").returncode == 0
    for folder in [tmp_path / "out", *(path for path in (tmp_path / "out").rglob("*") if path.is_dir())]:
        folder.chmod(0o555)
    assert first_line_of_status(tmp_path) == "out: finished"
