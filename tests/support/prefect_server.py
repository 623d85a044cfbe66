"""A real Prefect server on loopback with a PREFECT_HOME of its own, and what the tests ask of it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class PrefectServer:
    def __init__(self, home: Path, port: int, environment: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}/api"
        self.environment = {
            **os.environ,
            **environment,
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": self.url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.3)
        raise TimeoutError("the Prefect server did not start")

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the answer to a POST with `body`, or to a GET without one.

        A server whose database is busy answers 503 and has done nothing; it is asked again, as Prefect's client does.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, headers={"Content-Type": "application/json"})
        deadline = time.monotonic() + 300
        while True:
            try:
                with urllib.request.urlopen(request, timeout=120) as answer:
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as error:
                if error.code != 503 or time.monotonic() >= deadline:
                    raise
                time.sleep(1)

    def rows(self, table: str, **which: Any) -> list[dict[str, Any]]:
        """Return the rows of one of the server's tables: flow_runs, task_runs, logs, ..."""
        rows: list[dict[str, Any]] = self.call(f"{table}/filter", which)
        return rows

    def prefect(self, *arguments: str, cwd: Path | None = None) -> None:
        command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
        finished = subprocess.run(command, cwd=cwd, env=self.environment, capture_output=True, text=True, timeout=120)
        assert finished.returncode == 0, finished.stdout + finished.stderr

    def start(self, deployment: str, parameters: dict[str, Any] | None = None) -> str:
        """Start a flow run of a deployment, such as `skillmill-run/mine`, and return its id."""
        found = self.call(f"deployments/name/{deployment}")
        state = {"type": "SCHEDULED", "state_details": {}}
        body = {"parameters": parameters or {}, "state": state}
        return str(self.call(f"deployments/{found['id']}/create_flow_run", body)["id"])

    def await_run(self, run: str, is_there: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Return the flow run as soon as `is_there` holds of it."""
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.call(f"flow_runs/{run}")
            if is_there(found):
                return found
            time.sleep(0.3)
        raise TimeoutError(f"{what}: the flow run is {found['state']}")

    def ended(self, run: str) -> dict[str, Any]:
        """Return the flow run at its end."""
        ends = {"COMPLETED", "FAILED", "CANCELLED", "CRASHED"}
        return self.await_run(run, lambda found: found["state_type"] in ends, "waiting for the end")


@contextmanager
def running_server(home: Path, environment: dict[str, str] | None = None, wait: bool = True) -> Iterator[PrefectServer]:
    """Start a server, and end it with the context. `environment`: more variables for what uses it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = PrefectServer(home, port, environment or {})
    try:
        if wait:
            server.wait()
        yield server
    finally:
        server.process.terminate()
        server.process.wait(timeout=60)
