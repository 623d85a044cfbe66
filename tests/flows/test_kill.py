"""SIGKILL at any moment: the same command ends with the same bytes and asks nothing finished again."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from killed_runs import IN_FLIGHT, VERSIONS, finish, start, what_lies_there, write_config


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
