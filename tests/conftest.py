"""What several folders of tests share."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Property tests are about laws, not about speed: a busy machine must not fail them.
settings.register_profile("skillmill", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("skillmill")

# No analytics leave the machine, and no test waits for them or for a model hub.
os.environ.update(DO_NOT_TRACK="1", PREFECT_SERVER_ANALYTICS_ENABLED="false", HF_HUB_OFFLINE="1")
# The servers of the tests are on loopback, whatever proxy this machine has.
os.environ.update(NO_PROXY="127.0.0.1,localhost,::1", no_proxy="127.0.0.1,localhost,::1")

SUPPORT = Path(__file__).parent / "support"

SLOW = ("slow", "model", "train", "server")
"""Markers of tests that take long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files with slow tests first, so that no worker is busy with one when the others have no work left."""
    slow = {item.path for item in items if any(item.get_closest_marker(name) for name in SLOW)}
    items.sort(key=lambda item: item.path not in slow)


class ScriptedServer:
    """A running `support/scripted_server.py` or `support/batch_server.py`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.address = f"http://127.0.0.1:{int(process.stdout.readline())}"
        self.base_url = f"{self.address}/v1"

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.address}/stats", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


@pytest.fixture
def scripted_server() -> Iterator[Callable[..., ScriptedServer]]:
    """Start scripted teachers: `scripted_server(latency=0.01)`."""
    yield from _servers("scripted_server.py")


@pytest.fixture
def batch_server() -> Iterator[Callable[..., ScriptedServer]]:
    """Start scripted teachers with a batch API: `batch_server(latency=0.1)`."""
    yield from _servers("batch_server.py")


def _servers(script: str) -> Iterator[Callable[..., ScriptedServer]]:
    processes = []

    def start(**options: Any) -> ScriptedServer:
        flags = [text for key, value in options.items() for text in (f"--{key}", str(value))]
        command = [sys.executable, str(SUPPORT / script), *flags]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return ScriptedServer(process)

    yield start
    for process in processes:
        process.kill()
        process.wait()
