"""Which model a student's name means, what is refused, and real answers of a tiny model with its adapter."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.reasons import BAD_REQUEST, CONTEXT_LENGTH
from skillmill.data.records import Message
from skillmill.flows.commands.evaluate import run_evaluation
from skillmill.flows.config import Config
from skillmill.teachers.base import Request, RequestFailed, Sampling
from skillmill.teachers.engines.transformers_batches import open_engine
from skillmill.train.config import TrainConfig
from skillmill.train.evaluation.config import EvaluateConfig, StudentModel
from skillmill.train.evaluation.students import find_students
from skillmill.train.evaluation.training_tokens import training_tokens
from skillmill.train.methods.sft import train_sft
from skillmill.train.result import TrainResult

from ..conftest import ROOMY, SEED
from ..tiny_students import write_student, write_tokenizer

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_student(tmp_path_factory.mktemp("students") / "tiny")


@pytest.fixture(scope="module")
def trained(tiny: Path, dataset: Path) -> TrainResult:
    """An adapter of the tiny student, in the folder of a run."""
    config = TrainConfig.model_validate(
        {"student": str(tiny), "sft": {"lora": {"r": 4, "alpha": 8}, "args": {**ROOMY, "max_steps": 1}}}
    )
    return train_sft(config, dataset, tiny.parent / "out" / "train" / "sft", SEED)


def found(results: Path, base: str | None, **settings: Any) -> Any:
    return find_students(EvaluateConfig.model_validate(settings), results, base)


def test_last_is_the_newest_adapter_and_base_what_it_was_trained_from(tiny: Path, trained: TrainResult) -> None:
    student, baseline = found(trained.path.parent, str(tiny))
    assert student.model.model == str(tiny) and student.model.engine_args == {"lora": str(trained.path)}
    assert baseline.model.model == str(tiny) and baseline.model.engine_args == {}
    assert (student.folder, baseline.folder, student.base) == (trained.path, None, str(tiny))
    assert training_tokens(trained.path)
    on_vllm, _ = found(trained.path.parent, str(tiny), engine="transformers", engine_args={"dtype": "float32"})
    assert on_vllm.model.engine_args == {"dtype": "float32", "lora": str(trained.path)}


def test_a_base_without_a_template_gets_that_of_the_student(tiny: Path, trained: TrainResult, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(tiny, bare)
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        (bare / name).unlink(missing_ok=True)
    write_tokenizer(bare, template=None)
    results = tmp_path / "train"
    shutil.copytree(trained.path, results / "sft")
    marker = orjson.loads((results / "sft/train.json").read_bytes())
    marker["result"]["student"] = str(bare)
    (results / "sft/train.json").write_bytes(orjson.dumps(marker))
    _, baseline = found(results, str(bare))
    assert baseline.model.engine_args == {"tokenizer": str(results / "sft")}
    with pytest.raises(ConfigError, match="has no chat template"):
        found(results, str(bare), student=str(bare), baseline=None)


def test_an_adapter_of_another_base_is_refused(tiny: Path, trained: TrainResult, tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    with pytest.raises(ConfigError, match=r"was trained from .*tiny, and train\.student is"):
        found(trained.path.parent, None)
    other = write_tokenizer(tmp_path / "other")
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=258, **shape)).save_pretrained(other)
    moved = tmp_path / "train" / "sft"
    shutil.copytree(trained.path, moved)
    (moved / "train.json").unlink()
    adapter = orjson.loads((moved / "adapter_config.json").read_bytes())
    (moved / "adapter_config.json").write_bytes(orjson.dumps({**adapter, "base_model_name_or_path": str(other)}))
    with pytest.raises(ConfigError, match=r"the adapter .* is of another base: model\.layers\.0"):
        found(tmp_path, str(other), student=str(moved))
    (moved / "adapter_config.json").write_bytes(orjson.dumps({**adapter, "base_model_name_or_path": "gone/away"}))
    with pytest.raises(ConfigError, match=r"the base model of the adapter .* is not here: 'gone/away'"):
        found(tmp_path, str(other), student=str(moved))


def test_other_students_that_are_refused(tiny: Path, trained: TrainResult, tmp_path: Path) -> None:
    import torch

    with pytest.raises(ConfigError, match=r"evaluate\.student: 'nothing/here' is neither a folder nor in the local"):
        found(tmp_path, None, student="nothing/here")
    with pytest.raises(SkillmillError, match="holds no trained student"):
        found(tmp_path, None)
    with pytest.raises(ConfigError, match=r"evaluate\.baseline: expected another model than the student"):
        found(tmp_path, str(tiny), student=str(tiny), baseline="base")
    with pytest.raises(ConfigError, match=r"evaluate\.student\.engine_args\.colour: unknown key"):
        found(tmp_path, str(tiny), student=str(tiny), baseline=None, engine_args={"colour": 1})
    with pytest.raises(ConfigError, match=r"evaluate\.student\.sampling\.flavour: transformers has no such"):
        found(tmp_path, str(tiny), student=str(tiny), baseline=None, sampling={"flavour": 1})
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="asks for cuda, and this machine has none that torch can use"):
            found(tmp_path, str(tiny), student=str(tiny), baseline=None, engine_args={"device": "cuda"})


def test_requests_that_the_engine_refuses_leave_the_others_alone(tiny: Path) -> None:
    config = StudentModel(model=str(tiny), max_in_flight=3, sampling=Sampling(max_tokens=6))

    def request(words: int, **changes: Any) -> Request:
        message: list[Message] = [{"role": "user", "content": "rain " * words}]
        return Request(message, config.sampling, 1, **changes)

    async def ask() -> list[Any]:
        async with open_engine(config, None) as engine:
            teacher = engine.teacher
            cancelled = asyncio.create_task(teacher.chat(request(3)))
            await asyncio.sleep(0)
            cancelled.cancel()
            requests = [request(words) for words in (1, 2, 1000, 3, 4)] + [request(1, json_schema={})]
            return await asyncio.gather(*map(teacher.chat, requests), cancelled, return_exceptions=True)

    *replies, cancelled = asyncio.run(ask())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert [reply.reason for reply in replies if isinstance(reply, RequestFailed)] == [CONTEXT_LENGTH, BAD_REQUEST]
    answers = [reply for reply in replies if not isinstance(reply, Exception)]
    assert len(answers) == 4 and all(1 <= reply.completion_tokens <= 6 for reply in answers)
    assert {reply.finish_reason for reply in answers} <= {"stop", "length"}


def test_the_trained_student_and_its_base_answer(
    tiny: Path, trained: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.parent)
    config = Config.model_validate(
        {
            "output_dir": "out",
            "taxonomy": "builtin:checkable",
            "train": {"student": str(tiny), "sft": {}},
            "evaluate": {"k": [1], "samples": 6, "sampling": {"max_tokens": 12}, "max_in_flight": 4, "bootstrap": 100},
        }
    )
    metrics = run_evaluation(config)
    assert {name.partition(":")[0] for name in metrics["models"].values()} == {"transformers"}
    assert metrics["models"]["student"] != metrics["models"]["baseline"]
    assert metrics["student"]["1"]["combinations"]["full_marks"]["n"] == 6
    assert metrics["settings"]["training_tokens"] and metrics["gain"]["1"]["combinations"]["full_marks"]
    card = (trained.path / "README.md").read_text()
    assert card.count("## Evaluation") == 1 and "| combinations | 1 | 6 |" in card
    ledger = (tiny.parent / "out/.work/ledger.json").read_bytes()
    assert orjson.loads(ledger)["usage"]["evaluate"]["calls"] == 12
    assert run_evaluation(config) == metrics  # from the journal
    assert orjson.loads((tiny.parent / "out/.work/ledger.json").read_bytes())["usage"]["evaluate"]["calls"] == 12
    assert (trained.path / "README.md").read_text() == card
    assert not list(Path("out/evaluate").glob(".*"))
