"""Fixtures of the tests that call skillmill as a person does."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skillmill.flows.cli.main import main
from skillmill.flows.runtime.logs import terminal_log

CommandLine = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Call `command_line("taxonomy", "check", "mine.yaml")` in `tmp_path` for (exit code, standard output, error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["skillmill", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return int(str(ended.value.code)), captured.out, captured.err

    return call


@pytest.fixture
def messages_on_stderr() -> Iterator[None]:
    """Write skillmill's messages to standard error, as the command line does."""
    with terminal_log():
        yield
