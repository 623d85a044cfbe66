"""The inspect_ai task on its own mock model, and by its own command with a loopback server."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from released_records import GOLDEN, Writer, points_of, write_taxonomy

inspect_ai = pytest.importorskip(
    "inspect_ai", reason="inspect_ai is not installed here: `make test-evaluators` runs this in another environment"
)
from inspect_ai._util.error import PrerequisiteError  # noqa: E402
from inspect_ai.model import Model, ModelOutput, ModelUsage, get_model  # noqa: E402

from skillmill.flows.harnesses.inspect_tasks import skill_mix  # noqa: E402

USAGE = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # without it the mock model downloads a tokenizer


def mock(answer: Callable[[str], str]) -> Model:
    def output(messages: list[Any], *_: Any) -> ModelOutput:
        made = ModelOutput.from_content("mock", answer(messages[-1].text))
        made.usage = USAGE
        return made

    return get_model("mockllm/model", custom_outputs=output)


def grader(prompt: str) -> str:
    text = prompt.partition("<text>\n")[2].partition("\n</text>")[0]
    skills = {name: {"evidence": "", "point": point} for name, point in points_of(text).items()}
    return orjson.dumps({"skills": skills, "on_topic": 1, "makes_sense": 1, "within_limit": 1}).decode()


def run(folder: Path, task: Any, student: Model, **options: Any) -> Any:
    [log] = inspect_ai.eval(task, model=student, display="none", log_dir=str(folder), log_format="json", **options)
    return log


def means(log: Any) -> dict[str, float]:
    assert log.status == "success", log.error
    return {score.name: round(score.metrics["mean"].value, 4) for score in log.results.scores}


@pytest.fixture(scope="module")
def taxonomy(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_taxonomy(tmp_path_factory.mktemp("taxonomy") / "released.yaml"))


def test_the_released_records_have_the_golden_numbers_by_rules(tmp_path: Path, taxonomy: str) -> None:
    task = skill_mix(taxonomy=taxonomy, k=3, generations=2)
    assert means(run(tmp_path, task, mock(Writer().text))) == GOLDEN


def test_the_released_records_have_the_golden_numbers_by_a_grader(tmp_path: Path, taxonomy: str) -> None:
    task = skill_mix(taxonomy=taxonomy, k=3, generations=2, grader="model", runs=3, rubric="paper")
    log = run(tmp_path, task, mock(Writer().text), model_roles={"grader": mock(grader)})
    assert means(log) == GOLDEN
    [points] = {tuple(map(tuple, sample.scores["skill_mix_points"].metadata["points"])) for sample in log.samples[:1]}
    assert len(points) == 6  # two texts, each graded three times


def test_epochs_are_further_texts(tmp_path: Path, taxonomy: str) -> None:
    task = skill_mix(taxonomy=taxonomy, k=3)
    epochs = inspect_ai.Epochs(2, "max")
    assert means(run(tmp_path, task, mock(Writer().text), epochs=epochs)) == GOLDEN


def test_a_reply_that_is_no_grading_gives_no_score(tmp_path: Path, taxonomy: str) -> None:
    task = skill_mix(taxonomy=taxonomy, k=3, grader="model")
    log = run(tmp_path, task, mock(Writer().text), model_roles={"grader": mock(lambda prompt: "Well done.")})
    assert log.status == "success"
    assert [sample.scores["skill_mix_points"].reason for sample in log.samples] == ["no usable grading"] * 5


def test_a_grader_is_required_where_no_rule_grades(tmp_path: Path) -> None:
    log = run(tmp_path, skill_mix(samples=1, k=2), mock(Writer().text))
    assert log.status == "error"
    assert "role 'grader' is required" in log.error.message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 999}, r"evaluate\.k: 999 is larger than the number of skills"),
        ({"splits": "words"}, r"evaluate\.splits\[0\]: "),
        ({"samples": 0}, r"evaluate\.samples: "),
        ({"taxonomy": "builtin:nothing"}, r"taxonomy"),
        ({"grader": "rule"}, r"evaluate\.grader: rule, but the skill .* has no rule"),
        ({"config": "nowhere.yaml"}, r"cannot read the configuration nowhere\.yaml"),
    ],
)
def test_arguments_that_make_no_task(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(PrerequisiteError, match=message):
        skill_mix(**arguments)


def test_the_command_with_a_server(tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    server = scripted_server()
    command = [str(Path(sys.executable).with_name("inspect")), "eval", "skillmill/skill_mix", "--display", "none"]
    command += ["--model", "openai-api/loopback/student", "--model-role", "grader=openai-api/loopback/grader"]
    command += [
        "-T",
        "k=2",
        "-T",
        "samples=4",
        "-T",
        "splits=combinations",
        "--log-format",
        "json",
        "--log-dir",
        str(tmp_path),
    ]
    environment = {**os.environ, "LOOPBACK_API_KEY": "none", "LOOPBACK_BASE_URL": server.base_url}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [log] = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    assert log["status"] == "success"
    assert log["results"]["total_samples"] == 4
    assert server.stats()["forms"] == {"text": 4, "json_schema": 4}
