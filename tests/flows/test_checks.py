"""What would end a later step of a run ends it before the first request, in one line that names the key."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import CommandLine

TAXONOMY = {"source": "teacher", "domain": "beekeeping", "topics": 4, "skills_per_topic": 4, "query_types": 4}
"""A taxonomy that is requested from the teacher, which is the first thing that a run does."""
NOWHERE = "/nowhere/model.gguf"
STUDENT: dict[str, Any] = {"sources": ["student"]}
GRADED: dict[str, Any] = {"grading": {"when": "always"}}


@pytest.fixture
def nobody_listens() -> str:
    """The address of a port on which no server listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@pytest.fixture
def write_config(tmp_path: Path, scripted_server: Callable[..., Any]) -> Callable[[dict[str, Any]], Any]:
    """Write `skillmill.yaml` with the given sections; return the teacher's server."""

    def write(sections: dict[str, Any]) -> Any:
        server = scripted_server()
        teacher = {"kind": "openai", "model": "scripted", "base_url": server.base_url}
        content = {"output_dir": "out", "taxonomy": TAXONOMY, "teacher": teacher, "generation": {"samples": 4}}
        (tmp_path / "skillmill.yaml").write_text(yaml.safe_dump(content | sections))
        return server

    return write


def model(**settings: Any) -> dict[str, Any]:
    return {"kind": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", **settings}


SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "grader, no such file": (
        {**GRADED, "grader": {"kind": "embedded", "model": NOWHERE}},
        f"grader.model: cannot read {NOWHERE}",
    ),
    "grader, unknown engine argument": (
        {**GRADED, "grader": {"kind": "embedded", "engine_args": {"n_ctxx": 1}}},
        "grader.engine_args.n_ctxx: llama.cpp has no such parameter",
    ),
    "grader of pairs": (
        {"pairs": {"sources": ["draft"], "check": "always"}, "grader": {"kind": "embedded", "model": NOWHERE}},
        f"grader.model: cannot read {NOWHERE}",
    ),
    "student, no such file": (
        {"pairs": {**STUDENT, "student": {"kind": "embedded", "model": NOWHERE}}},
        f"pairs.student.model: cannot read {NOWHERE}",
    ),
    "student, header of two lines": (
        {"pairs": {**STUDENT, "student": model(headers={"X-Key": "a\nb"})}},
        "pairs.student.headers.'X-Key': expected a header's name, and a value of one line",
    ),
    "student, no such program": (
        {"pairs": {**STUDENT, "student": {"kind": "openai", "model": "m", "serve": "no-such-program serve m"}}},
        "pairs.student.serve: there is no program 'no-such-program'",
    ),
    "student, unbalanced quotes": (
        {"pairs": {**STUDENT, "student": {"kind": "openai", "model": "m", "serve": "vllm 'serve"}}},
        "pairs.student.serve: expected a command",
    ),
    "shirker model": (
        {"filters": {"shirker": {"model": "skillmill.yaml"}}},
        "skillmill.yaml: expected a model of `skillmill filters calibrate`",
    ),
    "evaluation set": (
        {"filters": {"contamination": {"sets": ["nowhere.jsonl:question"]}}},
        "filters.contamination.sets.nowhere: there is no file nowhere.jsonl",
    ),
    "filter of one's own": (
        {"filters": {"custom": ["nowhere:check"]}},
        "filters.custom: nowhere:check: there is no",
    ),
    "grading prompts": (
        {"generation": {"samples": 4}, "grading": {"prompts": "nowhere"}},
        "grading.prompts: cannot read the folder",
    ),
    "prompts": ({"generation": {"samples": 4, "prompts": "nowhere"}}, "generation.prompts: cannot read the folder"),
    "documents": (
        {"taxonomy": {**TAXONOMY, "documents": ["nowhere.txt"]}},
        "taxonomy.documents: cannot read",
    ),
}


@pytest.mark.parametrize(("sections", "message"), SETTINGS.values(), ids=SETTINGS)
def test_a_wrong_setting_of_a_later_step_ends_a_run_before_any_request(
    sections: dict[str, Any], message: str, write_config: Any, command_line: CommandLine
) -> None:
    server = write_config(sections)
    code, _, err = command_line("run", "-c", "skillmill.yaml")
    assert code in (1, 2) and message in err
    assert len(err.strip().splitlines()) == 1
    assert server.stats()["asked"] == 0
    if "filters" not in sections:
        assert not Path("out").exists()


@pytest.mark.parametrize("command", [["generate"], ["preview", "-n", "1"], ["plan"]])
def test_other_commands_check_the_models_of_later_steps(
    command: list[str], write_config: Any, command_line: CommandLine
) -> None:
    sections, message = SETTINGS["student, no such file"]
    server = write_config({**sections, "taxonomy": "builtin:instruct"})
    code, _, err = command_line(*command, "-c", "skillmill.yaml")
    assert code == 2 and message in err
    assert server.stats()["asked"] == 0


@pytest.mark.parametrize("section", ["grader", "pairs.student"])
def test_a_server_that_is_not_there_ends_a_run_before_any_request(
    section: str, nobody_listens: str, write_config: Any, command_line: CommandLine
) -> None:
    settings = model(base_url=nobody_listens)
    grader: dict[str, Any] = {**GRADED, "grader": settings}
    student: dict[str, Any] = {"pairs": {**STUDENT, "student": settings}}
    server = write_config(grader if section == "grader" else student)
    code, _, err = command_line("run", "-c", "skillmill.yaml")
    assert code == 1 and f"{section}.base_url: cannot reach 127.0.0.1" in err.replace("http://", "")
    assert len(err.strip().splitlines()) == 1
    assert server.stats()["asked"] == 0


@pytest.mark.train
def test_a_fault_of_the_training_ends_a_run_before_any_request(write_config: Any, command_line: CommandLine) -> None:
    server = write_config({"train": {"student": "./nowhere", "sft": {}}})
    code, _, err = command_line("run", "-c", "skillmill.yaml")
    assert code == 2 and "train.student: there is no folder nowhere" in err
    assert server.stats()["asked"] == 0


@pytest.mark.train
def test_the_student_is_found_beside_the_configuration(
    tmp_path: Path, write_config: Any, command_line: CommandLine
) -> None:
    write_config({"train": {"student": "mine", "sft": {"args": {"chat_template_path": "a.jinja"}}}})
    (tmp_path / "elsewhere" / "mine").mkdir(parents=True)
    (tmp_path / "elsewhere" / "a.jinja").write_text("")
    (tmp_path / "skillmill.yaml").rename(tmp_path / "elsewhere" / "skillmill.yaml")
    code, _, err = command_line("run", "-c", "elsewhere/skillmill.yaml")
    assert code == 2 and "train.student: elsewhere/mine holds no config.json" in err
