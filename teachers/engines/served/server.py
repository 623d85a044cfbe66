"""`teacher.serve`: the user's own command serves the model, from the run's start to its end.

The command runs without a shell, in a process group of its own, on a free port of the loopback device. A thread
waits until it is healthy, starts it again when it dies, and gives up after `RESTARTS`. `keeper.py` stands between, so
that the command never outlives this process.
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
from skillmill.teachers.base import Reply, Request
from skillmill.teachers.engines.openai import OpenAI, Unreachable
from skillmill.teachers.engines.served.keeper import GRACE_S

RESTARTS = 5
POLL_S = 0.1
TELL_AFTER_S = 5.0
NOTICE_S = 0.5
"""A cut connection is seen sooner than the death behind it."""
KEEPER = Path(__file__).with_name("keeper.py")

log = logging.getLogger(__name__)


class Server:
    """One served command. `base_url` is its address; `ready()` waits for it, `close()` ends it.

    Raises `ConfigError` where the command cannot be read, `StoreError` where its log cannot be written.
    """

    def __init__(self, command: str, log_file: Path, timeout_s: float) -> None:
        self._port = _free_port()
        self._command, self._timeout_s = serve_command(command, self._port), timeout_s
        self.base_url = f"http://127.0.0.1:{self._port}/v1"
        with store_errors(f"cannot write {log_file.parent}"):
            log_file.parent.mkdir(parents=True, exist_ok=True)
            self._log = log_file.open("ab")
        self.starts = 0
        self._healthy, self._closing = threading.Event(), threading.Event()
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._keep, name="teacher.serve", daemon=True)
        self._thread.start()

    async def ready(self) -> int:
        """Wait until the server is healthy; the number of its start. Raises `TeacherError` where it never will be."""
        while not self._healthy.is_set():
            if self._failure is not None:
                raise TeacherError(self._failure)
            await asyncio.sleep(POLL_S)  # a thread keeps the server: it serves several event loops, one after another
        return self.starts

    async def died(self, start: int) -> bool:
        """Whether that start has come to its end, as seen within `NOTICE_S`."""
        deadline = time.monotonic() + NOTICE_S
        while self.starts == start and self._healthy.is_set():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_S)
        return True

    def close(self) -> None:
        """End the command and all its children. A second call does nothing."""
        self._closing.set()
        self._failure = self._failure or "teacher.serve: the server was ended"
        self._thread.join()
        self._log.close()

    def _keep(self) -> None:
        try:
            while not self._closing.is_set() and self._failure is None:
                self._run_once()
        except OSError as error:
            self._failure = f"teacher.serve: cannot start the command: {error.strerror or error}"

    def _run_once(self) -> None:
        begin = os.fstat(self._log.fileno()).st_size
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
        why = f"was not healthy within {self._timeout_s:g} s (teacher.serve_timeout_s)"
        if code is not None:
            why = f"ended with code {code}" + ("" if healthy else " before it was healthy")
        if not healthy and self.starts == 1:
            self._failure = f"teacher.serve: the command {why}{self._last_words(begin)}"
        elif self.starts > RESTARTS:
            self._failure = f"teacher.serve: the server ended {self.starts} times{self._last_words(begin)}"
        else:
            log.warning(
                "teacher.serve: the server %s, starting it again (%d of %d); its log is %s",
                *(why, self.starts, RESTARTS, self._log.name),
            )

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 (the user's own command, split into words, without a shell)
            [sys.executable, "-I", "-S", str(KEEPER), *self._command],
            env=os.environ | {"PORT": str(self._port)},
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _wait_until_healthy(self, process: "subprocess.Popen[bytes]") -> bool:
        begun, told = time.monotonic(), False
        while process.poll() is None and (waited := time.monotonic() - begun) < self._timeout_s:
            if self._answers("/health") or self._answers("/v1/models"):
                return True
            if waited > TELL_AFTER_S and not told:
                told = True
                log.warning("teacher.serve: waiting for the server to be healthy; its log is %s", self._log.name)
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
        wants_the_key = path == "/v1/models" and status in (401, 403)
        return status < 400 or wants_the_key

    def _last_words(self, begin: int) -> str:
        with Path(self._log.name).open("rb") as file:
            file.seek(max(begin, file.seek(0, os.SEEK_END) - 4096))
            lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
        said = " | ".join(line[:200] for line in lines[-4:])
        return f": {said or 'it said nothing'}; its log is {self._log.name}"


class Served:
    """The `openai` teacher on a served command. What was in flight when the server died is asked again by itself."""

    def __init__(self, engine: OpenAI, server: Server) -> None:
        self.name = engine.name
        self._engine, self._server = engine, server

    async def chat(self, request: Request) -> Reply:
        """As `OpenAI.chat`; raises `TeacherError` once the server has ended too often."""
        while True:
            start = await self._server.ready()
            try:
                return await self._engine.chat(request)
            except Unreachable:
                if not await self._server.died(start):
                    raise


def serve_command(command: str, port: int) -> list[str]:
    """The words of the command with its port. Raises `ConfigError` for one that a shell could not split either."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"teacher.serve: expected a command, got {command!r} ({error})") from None
    if not words:
        raise ConfigError("teacher.serve: expected a command, such as `vllm serve MODEL`, got none")
    if any("{port}" in word for word in words):
        return [word.replace("{port}", str(port)) for word in words]
    return [*words, "--port", str(port)]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Close the keeper's input: it ends the command. Whatever is left of its group after that is killed."""
    if process.stdin is not None:
        process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S + 5)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
