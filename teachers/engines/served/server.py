"""The server of `serve`: the user's command, started with the run and ended with it.

The command runs without a shell, in a process group of its own, on a free port of the loopback device. A thread waits
until the server is healthy, restarts it when it dies, and gives up after `RESTARTS`. `keeper.py` runs between this
process and the command, so that the command never outlives this process.
"""

import asyncio
import http.client
import logging
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.files import store_errors
from skillmill.teachers.base import Reply, Request, Teacher
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.chat_api.http_failures import Unreachable
from skillmill.teachers.engines.served.keeper import GRACE_S
from skillmill.teachers.engines.shared import discard, shared

RESTARTS = 5
POLL_S = 0.1
WARN_AFTER_S = 5.0
DEATH_WAIT_S = 0.5
"""How long to wait for a server's death after a cut connection, which is noticed before the death."""
KEEPER = Path(__file__).with_name("keeper.py")

log = logging.getLogger(__name__)


async def healthy_server(config: TeacherConfig, log_file: Path) -> "Server":
    """Return this process's server for the command `config.serve` once it is healthy; the first call starts it.

    Raises as `Server` and `Server.ready` do.
    """
    command = config.serve or ""

    def start() -> Server:
        return Server(command, log_file, config.serve_timeout_s, config.section)

    server = await asyncio.to_thread(shared, start, "serve", command)
    try:
        await server.ready()
    except TeacherError:
        await asyncio.to_thread(discard, server)
        raise
    return server


class Server:
    """One served command. `base_url` is its address; `ready()` waits for it, `close()` ends it.

    Messages name the keys of `section`, the part of the configuration that started it. Raises `ConfigError` if the
    command cannot be parsed and `StoreError` if its log cannot be written.
    """

    def __init__(self, command: str, log_file: Path, timeout_s: float, section: str = "teacher") -> None:
        self._port = _free_port()
        self._section, self._key = section, f"{section}.serve"
        self._command, self._timeout_s = serve_command(command, self._port, section), timeout_s
        self.base_url = f"http://127.0.0.1:{self._port}/v1"
        with store_errors(f"cannot write {log_file.parent}"):
            log_file.parent.mkdir(parents=True, exist_ok=True)
            self._log = log_file.open("ab")
        self.starts = 0
        self._healthy, self._closing = threading.Event(), threading.Event()
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._keep_running, name="serve", daemon=True)
        self._thread.start()

    async def ready(self) -> int:
        """Wait until the server is healthy; return how often it was started.

        Raises `TeacherError` if it has failed for good.
        """
        while not self._healthy.is_set():
            if self._failure is not None:
                raise TeacherError(self._failure)
            await asyncio.sleep(POLL_S)  # no asyncio event: the server outlives event loops
        return self.starts

    async def died(self, start: int) -> bool:
        """Return whether the process of start number `start` has ended, after waiting at most `DEATH_WAIT_S`."""
        deadline = time.monotonic() + DEATH_WAIT_S
        while self.starts == start and self._healthy.is_set():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_S)
        return True

    def close(self) -> None:
        """End the command with all its child processes. A second call does nothing."""
        self._closing.set()
        self._failure = self._failure or f"{self._key}: the server was ended"
        self._thread.join()
        self._log.close()

    def _keep_running(self) -> None:
        try:
            while not self._closing.is_set() and self._failure is None:
                self._run_once()
        except OSError as error:
            self._failure = f"{self._key}: cannot start the command: {error.strerror or error}"

    def _run_once(self) -> None:
        log_start = os.fstat(self._log.fileno()).st_size
        process = self._start()
        self.starts += 1
        code = None
        try:
            healthy = self._wait_until_healthy(process)
            if healthy:
                self._healthy.set()
                while process.poll() is None and not self._closing.wait(POLL_S):
                    pass
                self._healthy.clear()
            code = process.poll()
        finally:
            _end(process)
        if self._closing.is_set():
            return
        why = f"was not healthy within {self._timeout_s:g} s ({self._section}.serve_timeout_s)"
        if code is not None:
            why = f"ended with code {code}" + ("" if healthy else " before it was healthy")
        if not healthy and self.starts == 1:
            self._failure = f"{self._key}: the command {why}{self._last_lines(log_start)}"
        elif self.starts > RESTARTS:
            self._failure = f"{self._key}: the server ended {self.starts} times{self._last_lines(log_start)}"
        else:
            log.warning(
                "%s: the server %s, starting it again (%d of %d); its log is %s",
                *(self._key, why, self.starts, RESTARTS, self._log.name),
            )

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 (the user's command, split into words, without a shell)
            [sys.executable, "-I", "-S", str(KEEPER), *self._command],
            env=os.environ | {"PORT": str(self._port)},
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _wait_until_healthy(self, process: "subprocess.Popen[bytes]") -> bool:
        began, warned = time.monotonic(), False
        while process.poll() is None and (waited := time.monotonic() - began) < self._timeout_s:
            if self._answers("/health") or self._answers("/v1/models"):
                return True
            if waited > WARN_AFTER_S and not warned:
                warned = True
                log.warning("%s: waiting for the server to be healthy; its log is %s", self._key, self._log.name)
            if self._closing.wait(POLL_S):
                break
        return False

    def _answers(self, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except (OSError, ValueError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        needs_key = path == "/v1/models" and status in (401, 403)
        return status < 400 or needs_key

    def _last_lines(self, log_start: int) -> str:
        """Return the last four lines that the command wrote to its log, and the log's path."""
        with Path(self._log.name).open("rb") as file:
            file.seek(max(log_start, file.seek(0, os.SEEK_END) - 4096))
            lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
        text = " | ".join(line[:200] for line in lines[-4:])
        return f": {text or 'it said nothing'}; its log is {self._log.name}"


class Served:
    """A client of a served command. It sends the requests again that were in flight when the server died."""

    def __init__(self, client: Teacher, server: Server) -> None:
        self.name = client.name
        self._client, self._server = client, server

    async def chat(self, request: Request) -> Reply:
        """Answer one request as the client does. Raises `TeacherError` if the server has ended too often."""
        while True:
            start = await self._server.ready()
            try:
                return await self._client.chat(request)
            except Unreachable:
                if not await self._server.died(start):
                    raise


def serve_command(command: str, port: int, section: str = "teacher") -> list[str]:
    """Return the words of the command, with the port in place of `{port}` or as an option `--port`.

    Raises `ConfigError` if the command is empty or cannot be split into words.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"{section}.serve: expected a command, got {command!r} ({error})") from None
    if not words:
        raise ConfigError(f"{section}.serve: expected a command, such as `vllm serve MODEL`, got none")
    if any("{port}" in word for word in words):
        return [word.replace("{port}", str(port)) for word in words]
    return [*words, "--port", str(port)]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Close the keeper's standard input, which ends the command; then kill the processes left in its group."""
    if process.stdin is not None:
        process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S + 5)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
