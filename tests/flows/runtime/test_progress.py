"""Progress: a live line on a terminal beside the log, plain messages now and then elsewhere."""

import json
import logging
import os
import pty
import re
import subprocess
import sys
import time

import pytest

from skillmill.flows.runtime import progress as progress_module
from skillmill.flows.runtime.logs import ON_LIVE_LINE, terminal_log
from skillmill.flows.runtime.progress import Progress

SCRIPT = """
import logging, sys, time
from skillmill.flows.runtime import progress
from skillmill.flows.runtime.logs import terminal_log

progress.PLAIN_EVERY_S = 0.0
with terminal_log() as terminal:
    terminal.as_json = "json" in sys.argv
    if "quiet" in sys.argv:
        logging.getLogger("skillmill").setLevel(logging.WARNING)
    with progress.Progress("generate") as live:
        live.line("6 cells")
        live.line("7 cells")
        logging.getLogger("skillmill.teachers").warning("teacher: a model answers again")
        time.sleep(0.5)
"""


def on_a_terminal(*arguments: str) -> str:
    """Run `SCRIPT` with a pseudo-terminal as standard error and return all that it showed."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], stderr=theirs, env=environment):
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # Linux reports the end of a pseudo-terminal as an error
            pass
    os.close(ours)
    return shown.decode()


def test_a_terminal_has_a_live_line_and_messages_above_it() -> None:
    shown = on_a_terminal()
    assert "\x1b[2K" in shown  # the line is erased and drawn again
    text = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", shown)
    assert text.startswith("teacher: a model answers again\r\n")  # without a plain form of the live line before it
    assert text.count("teacher: a model answers again") == 1
    assert "\rgenerate: 7 cells\r" in text


def test_a_quiet_terminal_has_no_progress() -> None:
    assert on_a_terminal("quiet") == "teacher: a model answers again\r\n"


def test_json_on_a_terminal_has_progress_as_messages() -> None:
    messages = [json.loads(line)["message"] for line in on_a_terminal("json").splitlines()]
    assert messages == ["generate: 7 cells", "teacher: a model answers again"]


def test_elsewhere_a_line_is_logged_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with terminal_log(), Progress("pairs") as progress:
        for count in range(25):
            now[0] += 1
            progress.line(f"{count} rows")
    assert capsys.readouterr().err == "pairs: 9 rows\npairs: 19 rows\n"


@pytest.mark.parametrize(
    ("seconds_and_counts", "logged"),
    [
        ([(s, "0 of 40 cells") for s in range(1, 60)], []),
        ([(s, "0 of 40 cells") for s in range(1, 130)], ["0 of 40 cells", "0 of 40 cells"]),
        ([(s, f"{min(s, 3)} cells") for s in range(1, 60)], ["3 cells"]),
        ([(s, f"{min(s, 12)} cells") for s in range(1, 79)], ["10 cells", "12 cells"]),
        ([(s, f"{min(s, 12)} cells") for s in range(1, 81)], ["10 cells", "12 cells", "12 cells"]),
    ],
)
def test_counts_that_do_not_change_are_logged_once_a_minute(
    seconds_and_counts: list[tuple[int, str]],
    logged: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "skillmill")
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Progress("generate") as progress:
        for second, counts in seconds_and_counts:
            now[0] = float(second)
            progress.line(counts, f"{1000 / second:.0f} tokens/s")
    assert [message.split(", ")[0] for message in caplog.messages] == [f"generate: {counts}" for counts in logged]


def test_a_library_user_gets_records_and_no_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "skillmill")
    monkeypatch.setattr(progress_module, "PLAIN_EVERY_S", 0.0)
    with Progress("export") as progress:
        progress.line("2 rows")
        progress.line("3 rows")
    [record] = caplog.records
    assert (record.name, record.message) == ("skillmill.flows.runtime.progress", "export: 3 rows")
    assert not getattr(record, ON_LIVE_LINE)
    assert capsys.readouterr() == ("", "")
