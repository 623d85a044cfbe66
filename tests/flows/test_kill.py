"""SIGKILL at any moment: the same command ends with the same bytes and asks nothing finished again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
import yaml

IN_FLIGHT = 8
OF_THE_STUDENT = 2


def write_config(folder: Path, base_url: str, grading: dict[str, Any] | None = None, **generation: Any) -> Path:
    folder.mkdir(parents=True)
    content = {
        "name": "kill",
        "output_dir": "out",
        "teacher": {
            "kind": "openai",
            "model": "scripted",
            "base_url": base_url,
            "max_in_flight": IN_FLIGHT - OF_THE_STUDENT,
            "sampling": {"max_tokens": 400},
        },
        "generation": {"kind": "instruct_skill_mix", "k": 2, "shard_rows": 7, **generation},
        "grading": grading or {},
        "pairs": {
            "sources": ["draft", "brevity", "student", *["low_grade"] * (generation.get("generations", 1) > 1)],
            "student": {"kind": "openai", "model": "small", "base_url": base_url, "max_in_flight": OF_THE_STUDENT},
        },
        "export": {"stress": {"kind": "both", "share": 0.4}},
    }
    path = folder / "skillmill.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def start(config: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "skillmill.flows.cli", *(arguments or ["run"]), "-c", config.name]
    return subprocess.Popen(
        command,
        cwd=config.parent,
        start_new_session=True,
        # A job that a shell put in the background ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(config: Path, *arguments: str) -> str:
    process = start(config, *arguments)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return errors


VERSIONS = {"versions.jsonl", "version.json", "README.md"}
"""The files that tell how often an export had new rows."""


def what_lies_there(config: Path, without: Collection[str] = ()) -> dict[str, bytes]:
    """Every file that is data; run.json and the report tell of the calls that were made, which differ."""
    root = config.parent / "out"
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and ".work" not in path.parts]
    told = {"run.json", "report.html", *without}
    return {str(path.relative_to(root)): path.read_bytes() for path in files if path.name not in told}


@pytest.mark.parametrize(
    ("generation", "copies"),
    [
        ({"samples": 40}, 0),
        ({"accepted": 25}, 0),
        ({"accepted": 15}, 40),
        ({"kind": "skill_mix", "k": 3, "samples": 30, "generations": 2}, 0),
        ({"samples": 20, "generations": 2, "grading": {"when": "always"}}, 0),
        ({"accepted": 10, "grading": {"when": "always", "runs": 3}}, 0),
    ],
    ids=["samples", "accepted", "near_duplicates", "skill_mix", "graded", "graded_accepted"],
)
def test_killed_at_random_moments_it_ends_with_the_same_bytes(
    tmp_path: Path, scripted_server: Callable[..., Any], generation: dict[str, Any], copies: int
) -> None:
    undisturbed = scripted_server(latency=0.03, copies=copies)
    whole = write_config(tmp_path / "whole", undisturbed.base_url, **generation)
    finish(whole)
    requests = undisturbed.stats()["asked"]
    assert undisturbed.stats()["repeated"] == 0
    assert undisturbed.stats()["most_running"] <= IN_FLIGHT

    server = scripted_server(latency=0.03, copies=copies)
    killed = write_config(tmp_path / "killed", server.base_url, **generation)
    dice = random.Random(f"{generation}")
    moments = sorted(dice.randrange(requests) for _ in range(5))
    for moment in moments:
        process = start(killed)
        deadline = time.monotonic() + 60
        while server.stats()["asked"] < moment and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(dice.uniform(0, 0.05))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    finish(killed)

    assert what_lies_there(killed) == what_lies_there(whole)
    stats = server.stats()
    assert stats["repeated"] <= IN_FLIGHT * len(moments)
    assert stats["asked"] - stats["repeated"] == requests


def test_killed_while_stored_rows_are_graded(tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    grading: dict[str, Any] = {"when": "always", "runs": 2}
    whole = write_config(tmp_path / "whole", scripted_server(latency=0.03).base_url, grading, samples=30)
    finish(whole)
    server = scripted_server(latency=0.03)
    killed = write_config(tmp_path / "killed", server.base_url, samples=30)
    finish(killed)
    content, before, kills = yaml.safe_load(killed.read_text()), server.stats()["asked"], 3
    killed.write_text(yaml.safe_dump(content | {"grading": grading}))
    for kill in range(kills):
        process = start(killed)
        deadline = time.monotonic() + 60
        while server.stats()["asked"] < before + 12 * (kill + 1) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    finish(killed)
    assert what_lies_there(killed, VERSIONS) == what_lies_there(whole, VERSIONS)
    assert server.stats()["repeated"] <= kills * IN_FLIGHT


REFRESH = {"samples": 12, "accepted": 9}
MONDAYS = [f"2026-12-{day:02}T03:00:00+00:00" for day in (7, 14, 21)]
CHANGES: list[dict[str, Any]] = [{}, {"filters": {"repetition": {"max_compression": 2.28}}}, {"seed": 7}]
"""What is changed in the configuration before each refresh: nothing, the filters, the plan."""


def refreshed(config: Path, kill: Callable[[Callable[[], subprocess.Popen[str]]], None]) -> dict[str, bytes]:
    """Run, then refresh three times, the configuration changed in between; `kill` may start a command and kill it."""
    kill(lambda: start(config))
    finish(config)
    content = yaml.safe_load(config.read_text()) | {"refresh": REFRESH}
    for due, change in zip(MONDAYS, CHANGES, strict=True):
        content |= change
        config.write_text(yaml.safe_dump(content))
        command = ["refresh", "--scheduled-time", due]
        kill(lambda command=command: start(config, *command))  # type: ignore[misc]
        finish(config, *command)
    return what_lies_there(config)


def test_killed_refreshes_end_with_the_same_rows_and_versions(
    tmp_path: Path, scripted_server: Callable[..., Any]
) -> None:
    generation: dict[str, Any] = {"accepted": 12}
    undisturbed = scripted_server(latency=0.03, copies=30)
    whole = refreshed(write_config(tmp_path / "whole", undisturbed.base_url, **generation), lambda _: None)

    server, dice = scripted_server(latency=0.03, copies=30), random.Random(1)

    def kill(begin: Callable[[], subprocess.Popen[str]]) -> None:
        for _ in range(5):
            process, asked = begin(), server.stats()["asked"]
            moment, deadline = asked + dice.randrange(30), time.monotonic() + 60
            while server.stats()["asked"] < moment and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(dice.uniform(0, 0.3))  # the steps after the last request are killed too
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    killed = refreshed(write_config(tmp_path / "killed", server.base_url, **generation), kill)
    assert killed.keys() == whole.keys()
    assert killed == whole
    assert killed["versions.jsonl"].count(b"\n") == 4
    stats, before = server.stats(), undisturbed.stats()
    assert stats["repeated"] <= IN_FLIGHT * 20
    assert stats["asked"] - stats["repeated"] == before["asked"] - before["repeated"]


def test_a_finished_run_asks_nothing_again(tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    server = scripted_server()
    config = write_config(tmp_path / "run", server.base_url, samples=10)
    finish(config)
    before, asked = what_lies_there(config), server.stats()["asked"]
    said = finish(config)
    assert "nothing left to do" in said
    assert server.stats()["asked"] == asked
    assert what_lies_there(config) == before


def test_ctrl_c_stops_cleanly_and_the_next_call_goes_on(tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    whole = write_config(tmp_path / "whole", scripted_server(latency=0.03).base_url, samples=40)
    finish(whole)
    server = scripted_server(latency=0.03)
    config = write_config(tmp_path / "stopped", server.base_url, samples=40)
    process = start(config)
    while server.stats()["asked"] < 60:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert errors.strip().splitlines()[-1].startswith("skillmill: stopped")
    finish(config)
    assert what_lies_there(config) == what_lies_there(whole)
    assert server.stats()["repeated"] <= IN_FLIGHT


def test_a_second_run_on_the_same_directory_is_one_clear_line(
    tmp_path: Path, scripted_server: Callable[..., Any]
) -> None:
    server = scripted_server(latency=0.2)
    config = write_config(tmp_path / "run", server.base_url, samples=40)
    first = start(config)
    while server.stats()["asked"] < 5:
        time.sleep(0.01)
    second = start(config)
    _, errors = second.communicate(timeout=60)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert second.returncode == 1
    assert "is in use by another run" in errors
    assert len(errors.strip().splitlines()) == 1
