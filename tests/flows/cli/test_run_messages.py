"""What a whole run writes: results to standard output, messages of the wanted level and form to standard error."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

CommandLine = Callable[..., tuple[int, str, str]]
RESULTS = ["dataset", "report"]


@pytest.fixture
def run(command_line: CommandLine, scripted_server: Callable[..., Any]) -> CommandLine:
    """`run("-v")` runs six cells on a server that rejects load, and structured output in the form of a schema."""
    server = scripted_server(limit=1, latency=0.01, refuse="json_schema")

    def start(*options: str) -> tuple[int, str, str]:
        teacher = {"kind": "openai", "model": "scripted", "base_url": server.base_url, "max_in_flight": 4}
        content = {"output_dir": "out", "teacher": teacher, "generation": {"samples": 6}}
        Path("skillmill.yaml").write_text(yaml.safe_dump(content))
        return command_line("run", "-c", "skillmill.yaml", *options)

    return start


def test_as_plain_text(run: CommandLine) -> None:
    code, out, err = run()
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == RESULTS
    assert {line.split(": ")[0] for line in err.splitlines()} >= {"taxonomy", "generate", "export"}
    assert "try 2" not in err


def test_verbose_shows_retries_limits_and_the_dialect(run: CommandLine) -> None:
    err = run("-v")[2]
    assert "HTTP 429" in err
    assert "try 2 in " in err
    assert "of 4 requests at once" in err
    assert "takes the dialect Dialect(" in err


def test_quiet_shows_warnings_only(run: CommandLine) -> None:
    code, out, err = run("-q")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == RESULTS
    assert len(err.splitlines()) == 1
    assert "does not take all that was asked for" in err


def test_json_is_all_there_is_on_standard_error(run: CommandLine) -> None:
    code, out, err = run("--log-json", "-v")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == RESULTS
    messages = [json.loads(line) for line in err.splitlines()]
    assert {message["level"] for message in messages} == {"debug", "info", "warning"}
    assert any(message["logger"].startswith("skillmill.teachers.") for message in messages)
    assert all(message["logger"].startswith("skillmill.") for message in messages)
