"""Real TRL training of the embedded student, a few steps on a few short rows."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from skillmill.data.errors import ConfigError
from skillmill.train.job import Job
from skillmill.train.methods.dpo import train_dpo
from skillmill.train.methods.sft import sft_trainer, train_sft
from skillmill.train.quiet import offline_and_quiet, require_extra
from skillmill.train.result import TrainResult, finished
from skillmill.train.rows.load import load_rows
from skillmill.train.student import model_arguments, student_path
from skillmill.train.trl_arguments import trl_arguments

from .conftest import ARGS, CONFIG, SEED, config

pytestmark = pytest.mark.train


@pytest.fixture(scope="session")
def student() -> str:
    require_extra()  # before any test loads torch by itself
    return student_path(None)


def log_of(result: TrainResult) -> Iterator[dict[str, Any]]:
    return map(orjson.loads, (result.path / "log.jsonl").read_bytes().splitlines())


def sft_job(dataset: Path, output: Path, **changes: Any) -> Job:
    settings = config(**changes).sft
    assert settings is not None
    return Job("sft", settings, None, dataset, "sft", ("prompt", "completion"), output, SEED)


def test_the_student_answers_and_is_found_again(student: str) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert student_path(None) == student
    assert (Path(student) / "model.safetensors").exists()
    model, tokenizer = AutoModelForCausalLM.from_pretrained(student), AutoTokenizer.from_pretrained(student)
    assert str(model.dtype) == "torch.bfloat16"
    question = [{"role": "user", "content": "What is the capital of France?"}]
    ids = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt")
    answer = model.generate(**ids, max_new_tokens=12, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(answer)


def test_frozen_weights_are_bf16_only_with_native_bf16(tmp_path: Path) -> None:
    """Emulated bf16 is slow: six steps of the demo took more than four minutes."""
    import trl

    job, full = sft_job(tmp_path, tmp_path / "out"), sft_job(tmp_path, tmp_path / "out", sft={"lora": None})
    native = trl_arguments(trl.SFTConfig, job).bf16
    assert model_arguments(job.settings)["dtype"] == ("bfloat16" if native else "float32")
    assert model_arguments(full.settings)["dtype"] == "float32"


def test_sft_leaves_adapter_card_log_and_marker(sft: TrainResult) -> None:
    names = {path.name for path in sft.path.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json"} <= names
    assert {"README.md", "log.jsonl", "train.json"} <= names
    assert not {name for name in names if name.startswith((".", "checkpoint"))} | names & {"training_args.bin"}
    assert (sft.rows, sft.steps, sft.adapter, sft.reused) == (8, 3, True, False)
    assert (sft.cut, sft.left_out) == (0, 0)
    assert [entry["loss"] for entry in log_of(sft) if "loss" in entry] == list(sft.losses)
    assert all(map(math.isfinite, sft.losses)) and sft.final_loss < sft.first_loss
    assert [path.name for path in sft.path.parent.iterdir() if path.name.startswith(".")] == []


def test_the_card_says_what_was_trained_on_what(sft: TrainResult) -> None:
    card = (sft.path / "README.md").read_text()
    assert 'base_model: "HuggingFaceTB/SmolLM2-135M-Instruct"' in card and "library_name: peft" in card
    assert "| rows | 8 |" in card and "| optimizer steps | 3 |" in card
    assert "- `learning_rate`: 0.001" in card and re.search(r"trl \d+\.\d+", card)
    assert str(sft.path.parent) not in card


def test_the_loss_is_on_the_completion_alone(dataset: Path, student: str, tmp_path: Path) -> None:
    job = sft_job(dataset, tmp_path / "sft")
    with offline_and_quiet():
        trainer = sft_trainer(job, student, load_rows(job, tmp_path), None)
    batch = next(iter(trainer.get_train_dataloader()))
    tokenizer = trainer.processing_class
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        learnt = tokenizer.decode(ids[labels != -100])
        assert re.fullmatch(r"A ripe \w+ is sweet and green\.<\|im_end\|>\n?", learnt)
        assert "Name the colour" in tokenizer.decode(ids[labels == -100])


def test_a_second_identical_call_does_nothing_again(dataset: Path, sft: TrainResult) -> None:
    before = {path: path.stat().st_mtime_ns for path in sft.path.iterdir()}
    again = train_sft(config(), dataset, sft.path, SEED)
    assert again.reused and again.losses == sft.losses
    assert {path: path.stat().st_mtime_ns for path in sft.path.iterdir()} == before


def test_the_same_seed_gives_the_same_losses(dataset: Path, sft: TrainResult, tmp_path: Path) -> None:
    assert train_sft(config(), dataset, tmp_path / "sft", SEED).losses == sft.losses


def test_dpo_continues_the_adapter_against_the_sft_policy(dataset: Path, sft: TrainResult, dpo: TrainResult) -> None:
    # Policy and reference are the same at the first step exactly when the reference is the SFT policy.
    assert dpo.first_loss == pytest.approx(math.log(2), abs=1e-3)
    assert dpo.steps == 2 and dpo.final_loss < dpo.first_loss
    assert sorted(path.name for path in dpo.path.glob("*/")) == []  # no second adapter beside the trained one

    from safetensors.torch import load_file

    before, after = (load_file(result.path / "adapter_model.safetensors") for result in (sft, dpo))
    assert before.keys() == after.keys()
    moved = [float((before[key] - after[key]).abs().max()) for key in before]
    assert 0 < max(moved) < 0.1
    assert train_dpo(config(), dataset, dpo.path, sft.path, SEED).reused


def test_all_weights_can_be_trained_and_dpo_can_merge(dataset: Path, sft: TrainResult, tmp_path: Path) -> None:
    one_step = {"lora": None, "args": {**ARGS, "learning_rate": 1e-5, "max_steps": 1}}
    full = train_sft(config(sft=one_step, dpo=None), dataset, tmp_path / "full", SEED)
    assert not full.adapter and (full.path / "model.safetensors").stat().st_size < 300e6  # bf16 again
    merged = train_dpo(config(dpo=one_step), dataset, tmp_path / "merged", sft.path, SEED)
    assert not merged.adapter and merged.first_loss == pytest.approx(math.log(2), abs=1e-3)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            {"learning_rat": 1},
            r"^train\.sft\.args\.learning_rat: is no argument of trl\.SFTConfig; .*learning_rate",
        ),
        ({"learning_rate": "fast"}, r"^train\.sft\.args\.learning_rate: expected a number, got 'fast'"),
        ({"lr_scheduler_type": "zigzag"}, r"^train\.sft\.args: .*zigzag"),
    ],
)
def test_a_wrong_argument_is_named_and_leaves_nothing(
    args: dict[str, Any], message: str, dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        train_sft(config(sft={"args": args}, dpo=None), dataset, tmp_path / "sft", SEED)
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_fails_leaves_the_old_result(dataset: Path, sft: TrainResult, tmp_path: Path) -> None:
    wrong = {"sft": {**CONFIG["sft"], "args": {**ARGS, "max_steps": 1, "optim": "none_such"}}}
    with pytest.raises(ConfigError):
        train_sft(config(**wrong), dataset, sft.path, SEED)
    left = finished(sft.path)
    assert left is not None and left.fingerprint == sft.fingerprint
