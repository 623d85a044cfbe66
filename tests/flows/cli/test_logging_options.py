"""-q, -v and --log-json work on every command, before it and after it, and decide what goes to standard error."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

from skillmill.data.terminal import LOGGER
from skillmill.flows.cli.logging_options import LOGGING_OPTIONS, Command
from skillmill.flows.cli.main import app
from skillmill.flows.runtime.logs import installed_handler

CommandLine = Callable[..., tuple[int, str, str]]

CHECK = ("taxonomy", "check", "builtin:language")
SUMMARY = "taxonomy: 154 skills, 0 errors, 0 warnings"

log = logging.getLogger(f"{LOGGER}.flows.cli.test")


def log_every_level() -> None:
    """Log a message of each level, and one of another library."""
    print("result")
    log.debug("a retry")
    log.info("12 cells")
    log.warning("warning: the teacher grades its own work")
    logging.getLogger("httpx").warning("not about skillmill")


@pytest.fixture
def levels(command_line: CommandLine) -> Iterator[CommandLine]:
    """The command line with a further command `levels`."""
    app.command("levels", cls=Command)(log_every_level)
    yield command_line
    app.registered_commands.pop()


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ((), ["12 cells", "warning: the teacher grades its own work"]),
        (("-q",), ["warning: the teacher grades its own work"]),
        (("--quiet",), ["warning: the teacher grades its own work"]),
        (("-v",), ["a retry", "12 cells", "warning: the teacher grades its own work"]),
        (("--verbose",), ["a retry", "12 cells", "warning: the teacher grades its own work"]),
    ],
)
@pytest.mark.parametrize("before", [True, False], ids=["before the command", "after the command"])
def test_levels(levels: CommandLine, options: tuple[str, ...], lines: list[str], before: bool) -> None:
    code, out, err = levels(*options, "levels") if before else levels("levels", *options)
    assert (code, out) == (0, "result\n")
    assert err.splitlines() == lines


def test_the_last_of_quiet_and_verbose_wins(levels: CommandLine) -> None:
    assert "a retry" in levels("-q", "levels", "-v")[2]
    assert "12 cells" not in levels("-v", "levels", "-q")[2]


@pytest.mark.parametrize("arguments", [("--log-json", "levels"), ("levels", "--log-json")])
def test_log_json_writes_an_object_a_line(levels: CommandLine, arguments: tuple[str, ...]) -> None:
    _, out, err = levels(*arguments)
    messages: list[dict[str, Any]] = [json.loads(line) for line in err.splitlines()]
    assert out == "result\n"
    assert [set(message) for message in messages] == [{"time", "level", "logger", "message"}] * 2
    assert [message["level"] for message in messages] == ["info", "warning"]
    assert {message["logger"] for message in messages} == {"skillmill.flows.cli.test"}
    assert messages[0]["message"] == "12 cells"
    assert messages[0]["time"].endswith("Z")


@pytest.mark.parametrize("arguments", [("--log-json", *CHECK, "--bad"), (*CHECK, "--log-json", "--bad")])
def test_usage_errors_are_json_too(command_line: CommandLine, arguments: tuple[str, ...]) -> None:
    code, _, err = command_line(*arguments)
    assert code == 2
    assert json.loads(err)["message"].startswith("skillmill: No such option: --bad")
    assert json.loads(err)["level"] == "error"


@pytest.mark.parametrize("arguments", [("-q", *CHECK), ("taxonomy", "-q", "check", "builtin:language"), (*CHECK, "-q")])
def test_a_group_takes_the_options_too(command_line: CommandLine, arguments: tuple[str, ...]) -> None:
    assert command_line(*CHECK)[2] == f"{SUMMARY}\n"
    assert command_line(*arguments) == (0, "", "")


def test_errors_are_shown_when_quiet(command_line: CommandLine) -> None:
    code, out, err = command_line("-q", "status", "nowhere")
    assert (code, out) == (2, "")
    assert err == "skillmill: nowhere holds no run: expected an output_dir with a run.json\n"


def test_the_log_is_as_before_after_the_command(levels: CommandLine) -> None:
    logger = logging.getLogger(LOGGER)
    levels("levels", "-v", "--log-json")
    assert installed_handler() is None
    assert (logger.level, logger.propagate) == (logging.NOTSET, True)


def test_every_command_and_group_has_the_options() -> None:
    groups = [typer.main.get_command(app)]
    for group in groups:  # grows as subgroups are found
        groups += getattr(group, "commands", {}).values()
    assert len(groups) > 20
    assert [group.name for group in groups if not set(LOGGING_OPTIONS) <= set(group.params)] == []


def test_help_shows_them(command_line: CommandLine) -> None:
    for arguments in (["run"], ["taxonomy"], ["taxonomy", "check"]):
        shown = command_line(*arguments, "--help")[1]
        assert all(option in shown for option in ("-q, --quiet", "-v, --verbose", "--log-json")), shown
