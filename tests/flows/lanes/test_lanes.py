"""A run in lanes is the run of one process: the same bytes, accounts, errors and ends."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from killed_runs import what_lies_there, write_config
from processes import children_of, ended

from skillmill.data.errors import SkillmillError
from skillmill.flows.config import Config, load_config
from skillmill.flows.lanes import lanes
from skillmill.flows.lanes.lanes import CELLS_OF_A_LANE, IN_FLIGHT_OF_A_LANE, count_lanes, lane_config
from skillmill.flows.runtime.workspace import read_state
from skillmill.flows.steps.generate import generate_step

Configure = Callable[..., Path]
SERVER = {"kind": "openai", "model": "scripted", "base_url": "http://127.0.0.1:9/v1"}
SMALL = (
    "from skillmill.flows.lanes import lanes\n"
    "lanes.IN_FLIGHT_OF_A_LANE = lanes.CELLS_OF_A_LANE = 1\n"
    "from skillmill.flows.cli.main import main\n"
    "main()\n"
)
"""The command line with lanes for the smallest run."""


@pytest.fixture
def small_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lanes pay off for the smallest run."""
    monkeypatch.setattr(lanes, "IN_FLIGHT_OF_A_LANE", 1)
    monkeypatch.setattr(lanes, "CELLS_OF_A_LANE", 1)


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Write a configuration for a server, with changed sections; each has an output directory of its own."""
    numbers = map(str, count())

    def configured(server: Any, workers: int = 2, generation: dict[str, Any] | None = None, **sections: Any) -> Path:
        path = write_config(tmp_path / next(numbers), server.base_url, **(generation or {"samples": 23}))
        content = yaml.safe_load(path.read_text()) | {"runner": {"workers": workers}} | sections
        path.write_text(yaml.safe_dump(content))
        return path

    return configured


def generated(path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Generate the rows of a configuration, in the folder of its file."""
    monkeypatch.chdir(path.parent)
    config = load_config(path)
    generate_step(config)
    return config


def usage(path: Path) -> dict[str, dict[str, float]]:
    stages: dict[str, dict[str, float]] = read_state(path.parent / "out")["usage"]
    return {name: {key: value for key, value in used.items() if key != "seconds"} for name, used in stages.items()}


def begin(path: Path) -> "subprocess.Popen[str]":
    """Start `skillmill generate` with lanes."""
    return subprocess.Popen(
        [sys.executable, "-c", SMALL, "generate", "-c", path.name],
        cwd=path.parent,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def lanes_of(process: "subprocess.Popen[str]") -> list[int]:
    return [pid for pid, command in children_of(process.pid).items() if "skillmill.flows.lanes.lane" in command]


@pytest.mark.parametrize(
    ("workers", "generation", "sections"),
    [
        (3, {"samples": 40, "shard_rows": 7}, {}),
        (2, {"accepted": 15}, {}),
        (2, {"samples": 12, "generations": 2}, {"grading": {"when": "always", "runs": 2}}),
    ],
    ids=["samples", "accepted", "graded"],
)
@pytest.mark.usefixtures("small_lanes")
def test_the_bytes_and_accounts_are_those_of_one_process(
    configure: Configure,
    scripted_server: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    generation: dict[str, Any],
    sections: dict[str, Any],
) -> None:
    server = scripted_server(copies=40)
    alone, in_lanes = (configure(server, of, generation, **sections) for of in (1, workers))
    generated(alone, monkeypatch)
    asked = server.stats()["asked"]
    generated(in_lanes, monkeypatch)
    assert what_lies_there(in_lanes) == what_lies_there(alone)
    if "samples" in generation:  # with a target of accepted rows, the last rows in flight may be too many
        assert usage(in_lanes) == usage(alone)
        assert server.stats()["asked"] == 2 * asked


@pytest.mark.usefixtures("small_lanes")
def test_the_lanes_share_the_requests_in_flight(
    configure: Configure, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = scripted_server(latency=0.05)
    generated(configure(server, 3, {"samples": 60}), monkeypatch)
    assert 3 < server.stats()["most_running"] <= 6


@pytest.mark.usefixtures("small_lanes")
def test_a_users_generator_and_filter_run_in_lanes(
    configure: Configure,
    scripted_server: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    module = (
        "from skillmill.generators.skill_mix import SkillMix\n"
        "class Mine(SkillMix):\n"
        "    async def make(self, cell, teacher):\n"
        "        print('a line of my own')\n"
        "        return await super().make(cell, teacher)\n"
        "def no_rivers(instruction, response, row):\n"
        "    return ['river'] if 'river' in response else []\n"
    )
    made = []
    for workers in (1, 2):
        path = configure(scripted_server(), workers, {"kind": "mine:Mine", "samples": 12, "k": 2})
        content = yaml.safe_load(path.read_text())
        content["filters"]["custom"] = ["mine:no_rivers"]
        path.write_text(yaml.safe_dump(content))
        (path.parent / "mine.py").write_text(module)
        generated(path, monkeypatch)
        made.append({name: rows for name, rows in what_lies_there(path).items() if name.startswith("shards")})
    assert made[0] == made[1]
    assert capfd.readouterr().err.count("a line of my own") == 12  # standard output is for results


def test_killed_at_random_moments_it_ends_with_the_same_bytes(
    configure: Configure, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = scripted_server()
    whole = configure(undisturbed, 1, {"samples": 60})
    generated(whole, monkeypatch)
    requests = undisturbed.stats()["asked"]
    server = scripted_server(latency=0.03)
    killed = configure(server, 2, {"samples": 60})
    dice = random.Random(18)
    moments = sorted(dice.randrange(20, requests) for _ in range(2))
    for moment in moments:
        process = begin(killed)
        wait_for(lambda: server.stats()["asked"] >= moment, process)  # noqa: B023 (called at once)
        beside = lanes_of(process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert len(beside) == 2 and all(ended(pid, within_s=20) for pid in beside)
    process = begin(killed)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert what_lies_there(killed) == what_lies_there(whole)
    stats = server.stats()
    assert stats["asked"] - stats["repeated"] == requests
    assert stats["repeated"] <= 6 * len(moments)


def test_a_lost_lane_and_ctrl_c_lose_nothing(
    configure: Configure, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = scripted_server()
    whole = configure(undisturbed, 1, {"samples": 50})
    generated(whole, monkeypatch)
    server = scripted_server(latency=0.03)
    path = configure(server, 2, {"samples": 50})

    process = begin(path)
    wait_for(lambda: server.stats()["asked"] >= 30, process)
    lane, other = lanes_of(process)
    os.kill(lane, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith(
        "skillmill: runner.workers: a process that sends requests ended by itself"
    )
    assert "Traceback" not in errors
    assert ended(other, within_s=20)

    process = begin(path)
    wait_for(lambda: server.stats()["asked"] >= 80, process)
    beside = lanes_of(process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert all(ended(pid, within_s=20) for pid in beside)
    assert read_state(path.parent / "out")["reason"] == "Ctrl-C"

    process = begin(path)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert what_lies_there(path) == what_lies_there(whole)
    stats = server.stats()
    assert stats["asked"] - stats["repeated"] == undisturbed.stats()["asked"]
    assert stats["repeated"] <= 2 * 6


@pytest.mark.usefixtures("small_lanes")
def test_a_teacher_that_refuses_everything_is_one_error(
    configure: Configure, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = scripted_server(error="401:no such key")
    path = configure(server, 2, {"samples": 40})
    with pytest.raises(SkillmillError, match="no such key"):
        generated(path, monkeypatch)
    assert not [command for command in children_of(os.getpid()).values() if "skillmill.flows.lanes" in command]


@pytest.mark.usefixtures("small_lanes")
def test_a_fault_of_a_users_module_says_where(
    configure: Configure, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configure(scripted_server(), 2, {"kind": "faulty:Faulty", "samples": 12, "k": 2})
    (path.parent / "faulty.py").write_text(
        "from skillmill.generators.skill_mix import SkillMix\n"
        "class Faulty(SkillMix):\n"
        "    async def make(self, cell, teacher):\n"
        "        raise ZeroDivisionError('in my generator')\n"
    )
    with pytest.raises(Exception, match="in my generator"):
        generated(path, monkeypatch)


@pytest.mark.usefixtures("small_lanes")
def test_what_every_lane_warns_of_is_said_once(
    configure: Configure,
    scripted_server: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    messages_on_stderr: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    generated(configure(scripted_server(usage="none"), 2, {"samples": 12}), monkeypatch)
    assert capsys.readouterr().err.count("reports no token counts") == 1


def test_what_a_lane_warns_of_is_said_at_once(configure: Configure, scripted_server: Callable[..., Any]) -> None:
    path = configure(scripted_server(), generation={"kind": "stuck:Stuck", "samples": 12, "k": 2})
    (path.parent / "stuck.py").write_text(
        "import asyncio, logging\n"
        "from skillmill.generators.skill_mix import SkillMix\n"
        "class Stuck(SkillMix):\n"
        "    async def make(self, cell, teacher):\n"
        "        logging.getLogger('skillmill.mine').warning('no row of mine ends')\n"
        "        await asyncio.sleep(600)\n"
    )
    process = begin(path)
    try:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("taxonomy: ")
        assert process.stderr.readline() == "no row of mine ends\n"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130


def lanes_for(workers: int | None, in_flight: int, cells: int | None, **sections: Any) -> int:
    teacher = SERVER | {"max_in_flight": in_flight} | sections.pop("teacher", {})
    return count_lanes(Config(teacher=teacher, runner={"workers": workers}, **sections), True, cells)


def test_lanes_are_for_runs_that_one_process_cannot_carry() -> None:
    many, cells = 4 * IN_FLIGHT_OF_A_LANE, 4 * CELLS_OF_A_LANE
    assert lanes_for(9, many, cells) == 4
    assert lanes_for(3, many, cells) == 3
    assert lanes_for(9, many, None) == 4
    assert lanes_for(1, many, cells) == 1
    assert lanes_for(5, 2 * IN_FLIGHT_OF_A_LANE - 1, cells) == 1
    assert lanes_for(5, many, 2 * CELLS_OF_A_LANE - 1) == 1


@pytest.mark.parametrize(
    "sections",
    [
        {"teacher": {"kind": "embedded", "model": None, "base_url": None}},
        {"teacher": {"serve": "serve {port}", "base_url": None}},
        {"teacher": {"batch": True}},
        {"grader": {"kind": "embedded"}},
        {"budget": {"tokens": 10**9}},
        {"budget": {"hours": 1}},
    ],
    ids=["embedded", "serve", "batch", "grader", "tokens", "hours"],
)
def test_what_belongs_to_one_process_has_no_lanes(sections: dict[str, Any]) -> None:
    assert lanes_for(5, 4 * IN_FLIGHT_OF_A_LANE, None, **sections) == 1


@given(st.integers(1, 10**5), st.integers(1, 12))
def test_the_parts_of_max_in_flight_add_up(in_flight: int, of: int) -> None:
    config = Config(teacher=SERVER | {"max_in_flight": in_flight})
    parts = [lane_config(config, number, of).teacher.max_in_flight for number in range(of)]
    assert sum(parts) == max(in_flight, sum(part == 1 for part in parts))
    assert max(parts) - min(parts) <= 1
