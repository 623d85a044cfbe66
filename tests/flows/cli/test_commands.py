"""The table of commands: each has help with an example, and the start imports nothing but typer."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from typer.main import get_command

from skillmill.flows.cli.main import app

CommandLine = Callable[..., tuple[int, str, str]]

HEAVY = "pydantic orjson pyarrow pandas numpy jinja2 prefect datasets rich aiohttp yaml sklearn torch xllamacpp".split()


def test_every_command_has_help_with_an_example() -> None:
    groups: list[tuple[str, Any]] = [("skillmill", get_command(app))]
    commands: list[tuple[str, Any]] = []
    for name, group in groups:  # grows as subgroups are found
        for verb, command in getattr(group, "commands", {}).items():
            (groups if hasattr(command, "commands") else commands).append((f"{name} {verb}", command))
    assert len(commands) > 15
    assert [name for name, command in commands if f"Example: {name} " not in f"{command.help} "] == []


def test_the_start_imports_nothing_heavy() -> None:
    code = f"import sys, skillmill.flows.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [(), ("train",), ("taxonomy",)])
def test_without_a_command_the_help_is_shown_and_that_is_an_error(
    command_line: CommandLine, arguments: tuple[str, ...]
) -> None:
    code, _, err = command_line(*arguments)
    assert code == 2
    assert "Usage: " in err
    assert "\nCommands:\n" in err
