"""The handler of the command line: whole lines, JSON with every field, and no message lost or repeated."""

import json
import logging
import sys
from typing import Any

import pytest

from skillmill.data.terminal import LOGGER
from skillmill.flows.runtime.logs import json_line, terminal_log

log = logging.getLogger(f"{LOGGER}.teachers.test")


def record(message: str, *arguments: object, **fields: Any) -> logging.LogRecord:
    return log.makeRecord(log.name, logging.WARNING, "file.py", 1, message, arguments, fields.get("exc_info"))


def test_a_message_of_many_lines_is_one_line_of_json() -> None:
    line = json_line(record("first\nsecond %s", "half"))
    assert "\n" not in line
    assert json.loads(line)["message"] == "first\nsecond half"


def test_json_holds_the_traceback_of_an_error() -> None:
    try:
        raise ValueError("bad")
    except ValueError:
        fields = json.loads(json_line(record("failed", exc_info=sys.exc_info())))
    assert fields["traceback"].endswith("ValueError: bad")


def test_other_handlers_do_not_repeat_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.StreamHandler(sys.stderr)  # as Prefect installs one
    logging.getLogger().addHandler(root)
    try:
        with terminal_log():
            log.info("12 cells")
    finally:
        logging.getLogger().removeHandler(root)
    assert capsys.readouterr().err == "12 cells\n"


def test_a_message_goes_to_the_present_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal_log():
        monkeypatch.setattr(sys, "stderr", sys.stdout)  # as rich replaces it
        log.info("12 cells")
    assert capsys.readouterr().out == "12 cells\n"


def test_a_message_that_cannot_be_formatted_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal_log():
        log.info("%d cells", "twelve")
        log.info("12 cells")
    assert capsys.readouterr().err.endswith("\n12 cells\n")
