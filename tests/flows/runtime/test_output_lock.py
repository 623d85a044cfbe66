"""The lock of an output directory holds for every name of it, and ends with the process."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skillmill.data.errors import StoreError
from skillmill.flows.runtime.output_lock import LOCK, WORK, hold_output, read_holder

HOLD = """
import sys
from pathlib import Path
from skillmill.flows.runtime.output_lock import hold_output

with hold_output(Path(sys.argv[1]), Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_run(output: Path, work: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold the locks in another process; closing its standard input ends it."""
    command = [sys.executable, "-c", HOLD, str(output), str(work)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process


@pytest.mark.parametrize(
    ("output", "work", "key"),
    [
        ("out", "work", "output_dir"),
        ("out", "out/.work", "output_dir"),
        ("out", "other", "output_dir"),
        ("link", "other", "output_dir"),
        ("link", "link/.work", "output_dir"),
        ("other/../out", "other", "output_dir"),
        ("other", "work", "work_dir"),
        ("other", "link-to-work", "work_dir"),
    ],
)
def test_a_second_run_is_refused_whatever_its_paths_are(tmp_path: Path, output: str, work: str, key: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    (tmp_path / "link-to-work").symlink_to(tmp_path / "work")
    with another_run(tmp_path / "out", tmp_path / "work") as first:
        with (
            pytest.raises(StoreError, match=rf"^{key}: .* is in use by another run \(process {first.pid}, since "),
            hold_output(tmp_path / output, tmp_path / work),
        ):
            pass
        assert read_holder(tmp_path / "out")[1]
    with hold_output(tmp_path / output, tmp_path / work):  # after its end
        pass


def test_runs_with_nothing_in_common_run_at_once(tmp_path: Path) -> None:
    with (
        another_run(tmp_path / "out", tmp_path / "work"),
        hold_output(tmp_path / "out2", tmp_path / "work2"),
    ):
        pass


def test_a_kill_leaves_the_lock_free_and_can_be_told(tmp_path: Path) -> None:
    with another_run(tmp_path / "out", tmp_path / "work") as process:
        os.kill(process.pid, signal.SIGKILL)
    holder, is_held = read_holder(tmp_path / "out")
    assert holder is not None and holder.process == process.pid and holder.is_here
    assert not is_held
    with hold_output(tmp_path / "out", tmp_path / "work"):
        pass
    assert read_holder(tmp_path / "out") == (None, False)
    assert (tmp_path / "out" / WORK / LOCK).read_bytes() == b""


def test_an_error_is_no_kill(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), hold_output(tmp_path / "out", tmp_path / "work"):
        raise KeyboardInterrupt
    assert read_holder(tmp_path / "out") == (None, False)


def test_the_steps_of_a_run_share_its_lock_and_other_threads_do_not(tmp_path: Path) -> None:
    refused = []

    def try_it() -> None:
        try:
            with hold_output(tmp_path / "out", tmp_path / "work"):
                pass
        except StoreError as error:
            refused.append(str(error))

    with hold_output(tmp_path / "out", tmp_path / "work"):
        with hold_output(tmp_path / "out", tmp_path / "work"):
            pass
        assert read_holder(tmp_path / "out")[1]  # the inner one does not free it
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert len(refused) == 1
    try_it()
    assert len(refused) == 1


def test_a_process_of_another_host_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "skillmill")
    lock = tmp_path / "out" / WORK / LOCK
    lock.parent.mkdir(parents=True)
    lock.write_text('{"host": "far-away", "process": 7, "since": "2026-01-01T00:00:00+00:00"}')
    with hold_output(tmp_path / "out", tmp_path / "work"):
        pass
    [message] = caplog.messages
    assert "last used by process 7 on host far-away, since 2026-01-01T00:00:00+00:00" in message
    with hold_output(tmp_path / "out", tmp_path / "work"):
        pass
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 3}', "\x00" * 100])
def test_a_lock_file_with_other_content_is_taken(tmp_path: Path, content: str) -> None:
    lock = tmp_path / "out" / WORK / LOCK
    lock.parent.mkdir(parents=True)
    lock.write_text(content)
    assert read_holder(tmp_path / "out") == (None, False)
    with hold_output(tmp_path / "out", tmp_path / "work"):
        holder, is_held = read_holder(tmp_path / "out")
        assert holder is not None and holder.process == os.getpid()
        assert is_held
