"""The task of lm-evaluation-harness on its dummy model, on a scripted one, and by its own command with a server."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from released_records import GOLDEN, Writer, write_taxonomy

from skillmill.data.errors import ConfigError
from skillmill.flows.harnesses import LM_EVAL_TASKS

lm_eval = pytest.importorskip(
    "lm_eval", reason="lm-eval is not installed here: `make test-evaluators` runs this in another environment"
)
from lm_eval.api.model import LM  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

TASK = "skillmill_checkable"


class Scripted(LM):  # type: ignore[misc,unused-ignore]
    def __init__(self) -> None:
        super().__init__()
        self.writer = Writer()

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        return [self.writer.text(request.arguments[0]) for request in requests]

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[Any]:
        raise NotImplementedError

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[Any]:
        raise NotImplementedError


def run(model: Any, task: str, metadata: dict[str, Any], *folders: Path) -> dict[str, float]:
    # Without include_defaults=False the harness reads its 14,000 own files, for half a minute.
    paths = [str(LM_EVAL_TASKS), *map(str, folders)]
    manager = TaskManager(include_path=paths, include_defaults=False, metadata=metadata)
    found = lm_eval.simple_evaluate(model, tasks=[task], task_manager=manager, bootstrap_iters=0, metadata=metadata)
    results: dict[str, Any] = found["results"][task]
    return {name.partition(",")[0]: value for name, value in results.items() if isinstance(value, float | int)}


def test_the_released_records_have_the_golden_numbers(tmp_path: Path) -> None:
    taxonomy = write_taxonomy(tmp_path / "released.yaml")
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "twice.yaml").write_text(f"include: {LM_EVAL_TASKS / TASK}.yaml\ntask: twice\nrepeats: 2\n")
    found = run(Scripted(), "twice", {"taxonomy": str(taxonomy), "k": 3}, folder)
    assert {name: round(found[name], 4) for name in GOLDEN} == GOLDEN


def test_the_dummy_model_shows_no_skill() -> None:
    found = run("dummy", TASK, {"k": [1, 2], "samples": 3})
    assert {name: found[name] for name in GOLDEN} == dict.fromkeys(GOLDEN, 0)
    assert found["sample_len"] == 6


def test_skills_without_a_rule_are_an_error() -> None:
    with pytest.raises(ConfigError, match=r"evaluate\.grader: rule, but the skill .* has no rule"):
        run("dummy", TASK, {"taxonomy": "builtin:language"})


def test_the_command_with_a_server(tmp_path: Path, scripted_server: Callable[..., Any]) -> None:
    server = scripted_server()
    arguments = f"model=student,base_url={server.base_url}/chat/completions,num_concurrent=4,tokenized_requests=False"
    command = [
        str(Path(sys.executable).with_name("lm_eval")),
        "run",
        "--tasks",
        TASK,
        "--include_path",
        str(LM_EVAL_TASKS),
    ]
    command += ["--model", "local-chat-completions", "--model_args", arguments, "--apply_chat_template"]
    command += ["--metadata", json.dumps({"k": 2, "samples": 4}), "--output_path", str(tmp_path)]
    done = subprocess.run(
        command, env={**os.environ, "OPENAI_API_KEY": "none"}, capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [results] = [json.loads(path.read_text()) for path in tmp_path.rglob("results_*.json")]
    assert results["n-samples"][TASK] == {"original": 4, "effective": 4}
    assert server.stats()["asked"] == 4
