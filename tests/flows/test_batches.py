"""Runs whose requests go through a batch API, as processes that are killed and as commands."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from killed_runs import what_lies_there, write_config

from skillmill.flows.config import load_config
from skillmill.flows.plan import make_plan
from skillmill.flows.steps.taxonomy import configured_taxonomy
from skillmill.teachers.engines.batch_api import batches
from skillmill.teachers.engines.batch_api.batch import Pace
from tests.conftest import ScriptedServer
from tests.flows.conftest import CommandLine

COMMAND = """
from skillmill.flows.cli.main import main
from skillmill.teachers.engines.batch_api import batches
from skillmill.teachers.engines.batch_api.batch import Pace
batches.PACE = Pace(gather_s=0.1, first_poll_s=0.02, longest_poll_s=0.1, relist_s=0.05)
main()
"""
"""The command line with short pauses."""
QUICK = Pace(gather_s=0.1, first_poll_s=0.02, longest_poll_s=0.1, relist_s=0.05)
REQUESTS = 4 * 10


def configure(folder: Path, server: ScriptedServer, **teacher: Any) -> Path:
    """Write the configuration of a run of ten rows with four turns."""
    path = write_config(folder, server.base_url, samples=10)
    content = yaml.safe_load(path.read_text())
    content["teacher"] = {**content["teacher"], "max_in_flight": 16, **teacher}
    path.write_text(yaml.safe_dump({**content, "pairs": {"sources": []}, "export": {}}))
    return path


def start(config: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COMMAND, "generate", "-c", config.name, *arguments]
    return subprocess.Popen(command, cwd=config.parent, stderr=subprocess.PIPE, text=True)


def journalled(config: Path) -> int:
    with sqlite3.connect(config.parent / "out/.work/journal.sqlite") as journal:
        return int(journal.execute("SELECT count(*) FROM compressed_replies").fetchone()[0])


Generate = Callable[..., str]


@pytest.fixture
def generate(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Generate:
    """Run `generate(config, "budget.tokens=9000")` with short pauses; return what it wrote to standard error."""
    monkeypatch.setattr(batches, "PACE", QUICK)

    def call(config: Path, *settings: str) -> str:
        monkeypatch.chdir(config.parent)
        code, _, errors = command_line("generate", "-c", config.name, *(f"--set={each}" for each in settings))
        assert code == 0, errors
        return errors

    return call


@pytest.mark.slow
def test_killed_at_several_moments_it_submits_no_request_twice(
    tmp_path: Path, batch_server: Callable[..., ScriptedServer], generate: Generate
) -> None:
    server = batch_server(latency=0.05, slow="upload:0.15,create:0.15,content:0.15")
    plain = configure(tmp_path / "plain", server)
    generate(plain)
    assert server.stats()["plain"] == REQUESTS

    def reached(moment: str) -> bool:
        stats = server.stats()
        uploads, batches, contents = stats["uploads"], len(stats["batches"]), stats["calls"].get("content", 0)
        return bool({"upload": uploads, "create": batches > 1, "poll": batches > 2, "content": contents > 3}[moment])

    config = configure(tmp_path / "batches", server, batch=True)
    for moment in ("upload", "create", "poll", "content"):
        process, deadline = start(config), time.monotonic() + 60
        while not reached(moment) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.03)
        time.sleep(0.3 if moment == "poll" else 0)  # until it is created and asked for
        process.kill()
        process.communicate()
    generate(config)

    assert what_lies_there(config) == what_lies_there(plain)
    times = Counter(key for batch in server.stats()["batches"] for key in batch["keys"])
    assert len(times) == REQUESTS
    assert set(times.values()) == {1}
    assert journalled(config) == REQUESTS
    assert len(server.stats()["files"]) <= 1  # the one whose upload was killed, of which nobody knows the name


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "teacher: 10 requests without an answer in batches (batch_0)"),
        (("--range", "1/2"), "range 10/1-of-2: teacher: 5 requests without an answer in batches (batch_0)"),
    ],
    ids=["run", "range"],
)
def test_ctrl_c_leaves_the_batch_and_status_names_it(
    tmp_path: Path,
    batch_server: Callable[..., ScriptedServer],
    command_line: CommandLine,
    arguments: tuple[str, ...],
    told: str,
) -> None:
    server = batch_server(latency=60)
    config = configure(tmp_path / "batches", server, batch=True)
    config.write_text(f"work_dir: work\n{config.read_text()}")  # `status` finds it without the configuration
    process = start(config, *arguments)
    while not server.stats()["calls"].get("poll"):
        time.sleep(0.03)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "teacher: batch batch_0 goes on at the provider; the same command waits for the answers" in errors
    assert errors.strip().splitlines()[-1].startswith("skillmill: stopped")
    _, said, _ = command_line("status", str(config.parent / "out"))
    assert told in said.splitlines()


def test_a_grader_has_batches_of_its_own(
    tmp_path: Path, batch_server: Callable[..., ScriptedServer], generate: Generate
) -> None:
    server = batch_server()
    grading = {"grading.when=always", f"grader={{kind: openai, model: grader, base_url: '{server.base_url}'}}"}
    left = []
    for name, batch in (("plain", False), ("batches", True)):
        config = configure(tmp_path / name, server)
        generate(config, *sorted(grading), f"teacher.batch={batch}", f"grader.batch={batch}")
        left.append(what_lies_there(config))
    assert left[0] == left[1]
    graded = server.stats()["plain"] - REQUESTS
    assert graded > 0
    keys = [key for batch in server.stats()["batches"] for key in batch["keys"]]
    assert len(keys) == len(set(keys)) == REQUESTS + graded


def test_a_budget_pays_for_whole_rows(
    tmp_path: Path, batch_server: Callable[..., ScriptedServer], generate: Generate
) -> None:
    config = configure(tmp_path / "batches", batch_server(), batch=True)
    errors = generate(config, "budget.tokens=9000")
    state = json.loads(Path("out/run.json").read_text())
    assert state["status"] == "partial"
    assert state["reason"].startswith("budget.tokens: ")
    assert 5000 < state["totals"]["tokens"] <= 9000
    [cells] = re.findall(r"generate: (\d+) of 10 cells, \d+ accepted \(", errors)
    assert int(cells) >= 2


def test_hours_that_end_during_a_wait_leave_the_batch_to_the_next_call(
    tmp_path: Path, batch_server: Callable[..., ScriptedServer], generate: Generate
) -> None:
    server = batch_server(latency=60)
    config = configure(tmp_path / "batches", server, batch=True)
    for hours in (0.0003, 0.0006):  # 1 and 2 seconds
        generate(config, f"budget.hours={hours}")
        state = json.loads(Path("out/run.json").read_text())
        assert (state["status"], state["reason"][:14]) == ("partial", "budget.hours: ")
    assert len(server.stats()["batches"]) <= 1


def test_preview_and_probe_send_plain_requests(
    tmp_path: Path, batch_server: Callable[..., ScriptedServer], command_line: CommandLine
) -> None:
    server = batch_server()
    config = configure(tmp_path / "batches", server, batch=True)
    code, said, errors = command_line("preview", "-c", str(config), "-n", "1")
    assert code == 0, errors
    assert "rows accepted; 4 calls" in said
    code, said, errors = command_line("plan", "-c", str(config), "--probe", "-n", "1")
    assert code == 0, errors
    assert "teacher.batch: at most 16 requests are in batches at once" in said
    assert server.stats()["plain"] == 8
    assert server.stats()["batches"] == []


def test_batches_do_not_change_the_plan(tmp_path: Path) -> None:
    path = write_config(tmp_path / "run", "http://127.0.0.1:1/v1", samples=10)
    plain, batched = load_config(path), load_config(path, ["teacher.batch=true"])
    plans = [make_plan(config, configured_taxonomy(config)).fingerprint for config in (plain, batched)]
    assert plans[0] == plans[1]
