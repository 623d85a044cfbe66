"""Refreshes and publications that are killed at random moments end as undisturbed ones do."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_server import HubServer
from hub_store import Repo
from killed_runs import IN_FLIGHT, finish, start, what_lies_there, write_config

NAME = "someone/skills"
MONDAYS = [f"2026-12-{day:02}T03:00:00+00:00" for day in (7, 14, 21)]
CHANGES: list[dict[str, Any]] = [{}, {"filters": {"repetition": {"max_compression": 2.28}}}, {"seed": 7}]
"""What is changed in the configuration before each refresh: nothing, the filters, the plan."""
KILLS_A_COMMAND = 5
Begin = Callable[[], "subprocess.Popen[str]"]


def refreshed(config: Path, kill: Callable[[Begin], None]) -> None:
    """Run, then refresh three times, the configuration changed in between; `kill` may start a command and kill it."""
    content = yaml.safe_load(config.read_text()) | {"refresh": {"samples": 12, "accepted": 9}}
    content["export"]["repo_id"] = NAME
    commands = [["run"], *(["refresh", "--scheduled-time", due] for due in MONDAYS)]
    for command, change in zip(commands, [{}, *CHANGES], strict=True):
        content |= change
        config.write_text(yaml.safe_dump(content))
        kill(lambda command=command: start(config, *command))  # type: ignore[misc]
        finish(config, *command)


@pytest.mark.timeout(1200)
def test_killed_refreshes_end_with_the_same_rows_versions_and_published_files(
    tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    generation: dict[str, Any] = {"accepted": 12}

    def made(name: str, server: Any, kill: Callable[[Begin], None]) -> tuple[dict[str, bytes], Repo]:
        config = write_config(tmp_path / name, server.base_url, **generation)
        with HubServer() as hub:
            for variable, value in hub.environment.items():
                monkeypatch.setenv(variable, value)
            refreshed(config, kill)
            return what_lies_there(config), hub.repos[NAME]

    undisturbed = scripted_server(latency=0.03, copies=30)
    whole, whole_repo = made("whole", undisturbed, lambda _: None)

    server, dice = scripted_server(latency=0.03, copies=30), random.Random(1)

    def kill(begin: Begin) -> None:
        for _ in range(KILLS_A_COMMAND):
            process, asked = begin(), server.stats()["asked"]
            moment, deadline = asked + dice.randrange(30), time.monotonic() + 60
            while server.stats()["asked"] < moment and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(dice.uniform(0, dice.choice([0.3, 3])))  # the steps after the last request are killed too
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    killed, killed_repo = made("killed", server, kill)
    assert killed.keys() == whole.keys()
    assert killed == whole
    assert killed["versions.jsonl"].count(b"\n") == 4
    # A commit is named by its title, its parent and its files.
    assert (killed_repo.main, killed_repo.tags) == (whole_repo.main, whole_repo.tags)
    assert sorted(killed_repo.tags) == ["v1", "v2", "v3", "v4"]
    assert [commit.title.split()[1] for commit in killed_repo.history("main")[:-1]] == ["v4", "v3", "v2", "v1"]
    stats, before = server.stats(), undisturbed.stats()
    assert stats["repeated"] <= IN_FLIGHT * KILLS_A_COMMAND * 4
    assert stats["asked"] - stats["repeated"] == before["asked"] - before["repeated"]
