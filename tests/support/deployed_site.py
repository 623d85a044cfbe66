"""All flows deployed on a real Prefect server, with a worker that was started elsewhere from the installed wheel."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_server import HubServer
from installed_wheel import install_wheel
from prefect_server import PrefectServer, running_server

from tests.conftest import SUPPORT, ScriptedServer

POOL = "skillmill"


def wait_until(is_so: Callable[[], Any], what: str, seconds: float = 240) -> Any:
    """Return the first true answer. The limit only ends a test that would wait for ever."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
    return found


@dataclass
class Site:
    """A folder that is no clone, with the configuration of the run `weekly`, deployed from the installed wheel."""

    server: PrefectServer
    folder: Path
    teacher: ScriptedServer
    hub: HubServer
    skillmill: Path

    def write(self, name: str, **sections: Any) -> str:
        """Write a configuration and return its path."""
        teacher = {"kind": "openai", "model": "scripted", "base_url": self.teacher.base_url}
        content = {
            "name": "weekly",
            "output_dir": "out",
            "teacher": teacher,
            "generation": {"samples": 6},
            "refresh": {"samples": 3},
        }
        (self.folder / name).write_text(yaml.safe_dump(content | sections))
        return str(self.folder / name)

    def deploy(self) -> None:
        """Deploy all flows by the installed command line."""
        finished = subprocess.run(
            [self.skillmill, "deploy", "-c", "skillmill.yaml"],
            cwd=self.folder,
            env=self.server.environment,
            capture_output=True,
            text=True,
        )
        assert finished.returncode == 0, finished.stderr

    def start(self, command: str, *overrides: str, **parameters: Any) -> str:
        """Start a flow run and return its id."""
        return self.server.start(f"skillmill-{command}/weekly", {**parameters, "overrides": list(overrides)})

    def completed(self, *runs: str) -> list[dict[str, Any]]:
        """Return the flow runs, all of which end well."""
        found = [self.server.ended(run) for run in runs]
        assert [run["state_type"] for run in found] == ["COMPLETED"] * len(runs), [run["state"] for run in found]
        return found

    def finish(self, command: str, *overrides: str, **parameters: Any) -> dict[str, Any]:
        return self.completed(self.start(command, *overrides, **parameters))[0]

    def versions(self, output: str = "out") -> list[dict[str, Any]]:
        path = self.folder / output / "versions.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def artifacts(self, run: str) -> dict[str, Any]:
        rows = self.server.rows("artifacts", artifacts={"flow_run_id": {"any_": [run]}})
        return {row["key"]: row for row in rows}


@contextmanager
def deployed_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Start all of it, deploy the flows, and end it with the context."""
    folder, elsewhere = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("elsewhere")
    variables = {"PYTHONPATH": "", "OMP_NUM_THREADS": "1"}  # so that nothing of a clone is found
    with (
        ThreadPoolExecutor() as threads,
        _scripted_teacher() as teacher,
        HubServer() as hub,
        running_server(tmp_path_factory.mktemp("prefect"), variables | hub.environment, wait=False) as server,
    ):
        installed = threads.submit(install_wheel, tmp_path_factory.mktemp("wheel"))
        server.wait()
        python = installed.result()
        with _worker(python, server, elsewhere):
            site = Site(server, folder, teacher, hub, python.with_name("skillmill"))
            site.write("skillmill.yaml")
            wait_until(lambda: server.rows("work_pools"), "the worker makes its pool")
            site.deploy()
            yield site
        assert not list(elsewhere.iterdir())


@contextmanager
def _scripted_teacher() -> Iterator[ScriptedServer]:
    command = [sys.executable, str(SUPPORT / "scripted_server.py"), "--latency", "0.2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield ScriptedServer(process)
    finally:
        process.kill()
        process.wait()


@contextmanager
def _worker(python: Path, server: PrefectServer, folder: Path) -> Iterator[None]:
    """Start a worker, which makes the work pool."""
    worker = subprocess.Popen(
        [python, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"],
        cwd=folder,
        env={**server.environment, "PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_WORKER_PREFETCH_SECONDS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A job that a shell put in the background ignores Ctrl-C, by which Prefect stops a worker.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield
    finally:
        worker.terminate()
        try:
            worker.wait(timeout=60)
        finally:
            worker.kill()
