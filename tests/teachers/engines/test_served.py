"""`serve` with the scripted server as the command, which is killed, restarted and ended."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from processes import alive, children_of, ended

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.flows.config import parse_config
from skillmill.teachers.base import Reply, Request, Sampling
from skillmill.teachers.build import close_engines, open_teacher
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.served import server as serve
from skillmill.teachers.engines.served.server import Server, serve_command
from skillmill.teachers.engines.shared import _running
from skillmill.teachers.middleware.accounting import Usage
from skillmill.teachers.middleware.journal import Journal
from tests.conftest import SUPPORT

SCRIPTED = f"{sys.executable} {SUPPORT / 'scripted_server.py'} --latency 0.02"


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    close_engines()


def stats(server: Server) -> dict[str, int]:
    with urllib.request.urlopen(server.base_url.removesuffix("/v1") + "/stats", timeout=10) as answer:
        found: dict[str, int] = orjson.loads(answer.read())
    return found


def requests(count: int) -> list[Request]:
    return [Request([{"role": "user", "content": f"q{number}"}], Sampling(), number) for number in range(count)]


def test_a_command_is_split_without_a_shell_and_told_its_port() -> None:
    assert serve_command("vllm serve 'my model; rm -rf /' $HOME", 7) == [
        *("vllm", "serve", "my model; rm -rf /", "$HOME"),
        *("--port", "7"),
    ]
    assert serve_command("server --listen 127.0.0.1:{port}", 7) == ["server", "--listen", "127.0.0.1:7"]
    for command in ("vllm 'serve", "", "  "):
        with pytest.raises(ConfigError, match=r"teacher\.serve: expected a command"):
            serve_command(command, 7)


@pytest.mark.parametrize(
    ("teacher", "complaint"),
    [
        ({"kind": "embedded", "serve": "x"}, r"^teacher\.serve: expected kind: openai"),
        ({"kind": "openai", "serve": "x", "model": "m", "base_url": "http://h/v1"}, r"expected no base_url"),
        ({"kind": "openai", "serve": "x"}, r"expected teacher\.model"),
    ],
)
def test_what_does_not_go_with_serve_is_named(teacher: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_config({"teacher": teacher})


def test_a_server_that_is_killed_in_the_middle_costs_no_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = TeacherConfig(kind="openai", model="m", serve=SCRIPTED, max_in_flight=8)
    pids: list[int] = []

    async def run() -> list[Any]:
        journal = Journal(tmp_path / "journal.sqlite")
        async with open_teacher(config, journal, Usage()) as teacher:
            [server] = running_servers()
            asking = asyncio.gather(*map(teacher.chat, requests(200)), return_exceptions=True)
            await asyncio.sleep(0.2)
            pids.append((await asyncio.to_thread(stats, server))["pid"])
            os.kill(pids[0], signal.SIGKILL)
            replies = await asking
            pids.append((await asyncio.to_thread(stats, server))["pid"])
        journal.close()
        return replies

    replies = asyncio.run(run())
    assert all(isinstance(reply, Reply) for reply in replies)
    assert pids[0] != pids[1]
    assert alive(pids[1])  # for the next step of the run
    assert "starting it again (1 of 5); its log is" in caplog.text
    close_engines()
    assert ended(pids[1], within_s=1)
    assert "signal 9" in (tmp_path / "serve.log").read_text()


def running_servers() -> list[Server]:
    return [resource for resource in _running.values() if isinstance(resource, Server)]


def test_steps_of_a_run_share_the_server(tmp_path: Path) -> None:
    config = TeacherConfig(kind="openai", model="m", serve=SCRIPTED)

    async def step(number: int) -> int:
        journal = Journal(tmp_path / f"{number}.sqlite")
        async with open_teacher(config, journal, Usage()) as teacher:
            await teacher.chat(requests(1)[0])
        journal.close()
        return (await asyncio.to_thread(stats, running_servers()[0]))["pid"]

    assert asyncio.run(step(1)) == asyncio.run(step(2))


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (f"{sys.executable} -c 'import sys; sys.exit(\"no such model: x\")'", r"ended with code 1 .*no such model: x"),
        ("no-such-command-anywhere", r"ended with code 1 .*cannot start no-such-command-anywhere: No such file"),
        ("sh -c 'echo loading; sleep 60'", r"not healthy within 5 s \(teacher\.serve_timeout_s\): loading"),
    ],
)  # fmt: skip
def test_a_command_that_does_not_serve_is_a_clear_error(tmp_path: Path, command: str, complaint: str) -> None:
    timeout = 5 if "sleep" in command else 120  # a command that ends is noticed before its timeout
    config = TeacherConfig(kind="openai", model="m", serve=command, serve_timeout_s=timeout)

    async def run() -> None:
        async with open_teacher(config, Journal(tmp_path / "journal.sqlite"), Usage()):
            pass

    for _ in range(2):  # the second time too: a failure is not stored
        with pytest.raises(TeacherError, match=complaint) as error:
            asyncio.run(run())
        assert "\n" not in str(error.value)
        assert str(tmp_path / "serve.log") in str(error.value)


def test_a_server_that_dies_again_and_again_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "RESTARTS", 1)

    async def run() -> int:
        server = Server(SCRIPTED, tmp_path / "serve.log", 20)
        try:
            while True:
                await server.ready()
                os.kill((await asyncio.to_thread(stats, server))["pid"], signal.SIGKILL)
                await server.died(server.starts)
        except TeacherError as error:
            assert "the server ended 2 times" in str(error)
            return server.starts
        finally:
            server.close()

    assert asyncio.run(run()) == 2


def test_kill_9_of_our_process_leaves_nothing_of_the_command(tmp_path: Path) -> None:
    """The command starts a child process, as engines do, which ends too."""
    script = tmp_path / "with_child.py"
    script.write_text(
        "import runpy, subprocess\n"
        "subprocess.Popen(['sleep', '300'])\n"
        f"runpy.run_path({str(SUPPORT / 'scripted_server.py')!r}, run_name='__main__')\n"
    )
    program = f"""
import asyncio
from pathlib import Path
from skillmill.teachers.engines.served.server import Server
server = Server({f"{sys.executable} {script}"!r}, Path({str(tmp_path / "serve.log")!r}), 20)
asyncio.run(server.ready())
print(server.base_url.removesuffix("/v1"), flush=True)
input()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with urllib.request.urlopen(process.stdout.readline().strip() + "/stats", timeout=10) as answer:
        group = os.getpgid(orjson.loads(answer.read())["pid"])
    members = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _group(path) == group]
    assert len(members) == 3  # the keeper, the server, the server's child
    process.kill()
    process.wait()
    assert all(ended(pid, within_s=5) for pid in members)


def _group(path: Path) -> int:
    with suppress(OSError):
        return int((path / "stat").read_text().rsplit(")", 1)[1].split()[2])
    return 0


@pytest.mark.parametrize("ending", [signal.SIGINT, None])
def test_generate_with_a_served_teacher_ends_it_with_the_run(tmp_path: Path, ending: signal.Signals | None) -> None:
    config = {
        "output_dir": str(tmp_path / "out"),
        "teacher": {"kind": "openai", "model": "m", "serve": f"{SCRIPTED} --faults 0.1"},
        "generation": {"kind": "skill_mix", "samples": 100_000 if ending else 20},
        "runner": {"workers": 1},  # no other child than the one that keeps the server
    }
    (tmp_path / "c.json").write_bytes(orjson.dumps(config))
    run = subprocess.Popen(
        [sys.executable, "-m", "skillmill.flows.cli", "generate", "-c", str(tmp_path / "c.json")],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    log = tmp_path / "out/.work/serve.log"
    if ending:
        while run.poll() is None and (not log.exists() or not log.read_text().strip()):
            time.sleep(0.1)
        time.sleep(1)
        keepers = list(children_of(run.pid))
        run.send_signal(ending)
    _, output = run.communicate(timeout=60)
    assert run.returncode == (130 if ending else 0), output
    assert "Traceback" not in output
    if ending:
        assert len(keepers) == 1
        assert not any(_group(path) == keepers[0] for path in Path("/proc").glob("[0-9]*"))
    else:
        assert "20 of 20 cells" in output
