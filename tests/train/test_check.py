"""Faults of a training that are known before its data are made."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from skillmill.data.errors import ConfigError, StoreError
from skillmill.train.check import check_train
from skillmill.train.config import TrainConfig
from skillmill.train.methods.dpo import train_dpo
from skillmill.train.methods.sft import train_sft
from skillmill.train.presets import BUILTIN_TEMPLATES
from skillmill.train.quiet import require_extra

from .conftest import ROOMY, config
from .tiny_students import TEMPLATE, write_student, write_tokenizer

pytestmark = pytest.mark.train

NEW_TEMPLATE = TEMPLATE.replace("<|im_start|>", "<|turn|>").replace("<|im_end|>", "<|end|>")
QUESTION = [{"role": "user", "content": "Why?"}]


@pytest.fixture(scope="module")
def students(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the students `good`, `bare` (no chat template), `weightless`, `sharded` (a shard is missing) …"""
    require_extra()
    folder = tmp_path_factory.mktemp("students")
    write_student(folder / "good")
    write_student(folder / "bare", template=None)
    shutil.copytree(folder / "good", folder / "weightless")
    (folder / "weightless" / "model.safetensors").unlink()
    shutil.copytree(folder / "weightless", folder / "sharded")
    index = '{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}'
    (folder / "sharded" / "model.safetensors.index.json").write_text(index)
    (folder / "sharded" / "model-1-of-2.safetensors").touch()
    (folder / "adapter").mkdir()
    (folder / "adapter" / "adapter_config.json").write_text("{}")
    (folder / "bad.jinja").write_text("{% for %}")
    write_tokenizer(folder / "source")
    write_student(folder / "untied", template=None, tied=False)
    write_tokenizer(folder / "new", NEW_TEMPLATE, ["<|turn|>", "<|end|>"])
    return folder


def check(students: Path, student: str, **block: Any) -> None:
    check_train(TrainConfig.model_validate({"student": str(students / student), **block}), students / "train")


@pytest.mark.parametrize(
    "block",
    [
        {"sft": {}, "dpo": {}},
        {"sft": {"lora": None}, "dpo": {"lora": None}},
        {"sft": {}, "dpo": {"lora": None}},
        {"dpo": {}},
        {"sft": {"args": {"learning_rate": "2e-4", "max_length": None, "packing": False}}},
        {"sft": {"args": {"max_length": 2}}},
        {"sft": {"args": {"eval_strategy": "steps", "eval_steps": 5}, "select": "last"}},
        {"sft": {"select": "held_out"}, "kto": {}, "grpo": {}},
        {"sft": {"lora": None}, "kto": {"lora": None}, "grpo": {"lora": None}},
        {"kto": {}, "grpo": {"args": {"num_generations": 3, "per_device_train_batch_size": 3}}},
    ],
)
def test_a_training_that_can_start_passes_and_leaves_nothing(block: dict[str, Any], students: Path) -> None:
    check(students, "good", **block)
    assert not (students / "train").exists()


def test_a_template_of_the_sft_counts_for_all_stages(students: Path) -> None:
    check(students, "bare", sft={"args": {"chat_template_path": str(students / "source")}}, dpo={})
    check(students, "bare", sft={"args": {"chat_template_path": "builtin:alpaca"}}, kto={}, grpo={})


def test_the_template_for_base_models_ends_answers_and_keeps_prompts(students: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(students / "bare")
    tokenizer.chat_template = BUILTIN_TEMPLATES["builtin:alpaca"].read_text()
    answer = {"role": "assistant", "content": "So."}
    prompt = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, tokenize=False)
    assert prompt.startswith("Below is an instruction") and prompt.endswith(
        "\n\n### Instruction:\nWhy?\n\n### Response:\n"
    )
    whole = tokenizer.apply_chat_template([*QUESTION, answer], tokenize=False)
    assert whole == prompt + "So." + tokenizer.eos_token
    chat = [{"role": "system", "content": "Be kind."}, *QUESTION, answer, *QUESTION]
    text = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    turn = "### Instruction:\nWhy?\n\n### Response:\n"
    assert text == f"Be kind.\n\n{turn}So.{tokenizer.eos_token}\n\n{turn}"


def test_an_adapter_learns_new_tokens_of_an_untied_student_but_no_dpo_continues_it(
    students: Path, dataset: Path, tmp_path: Path
) -> None:
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoTokenizer

    student, args = str(students / "untied"), {**ROOMY, "max_steps": 2, "chat_template_path": str(students / "new")}
    settings = config(student=student, sft={"lora": {"r": 4}, "args": args}, dpo=None)
    check_train(settings, tmp_path)
    sft = train_sft(settings, dataset, tmp_path / "sft", 1)
    tokenizer = AutoTokenizer.from_pretrained(sft.path)
    ids = tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    model = AutoPeftModelForCausalLM.from_pretrained(sft.path)
    assert tokenizer.convert_tokens_to_ids("<|turn|>") in ids["input_ids"]
    assert model(**ids).logits.shape[-1] >= len(tokenizer)

    both = config(student=student, sft={"lora": {"r": 4}, "args": args}, dpo={"args": ROOMY})
    message = r"^train\.dpo: cannot continue an SFT adapter with new tokens; .* set train\.sft\.lora to null$"
    with pytest.raises(ConfigError, match=message):
        check_train(both, tmp_path / "fresh")
    with pytest.raises(ConfigError, match=message):
        train_dpo(both, dataset, tmp_path / "dpo", sft.path, 1)


@pytest.mark.parametrize(
    ("student", "block", "message"),
    [
        ("nowhere", {"sft": {}}, "train.student: there is no folder"),
        ("weightless", {"sft": {}}, "has no weights, model.safetensors is missing"),
        ("adapter", {"sft": {}}, "adapter is an adapter, expected a model; `train.export: [merged]` writes one"),
        ("good", {"sft": {"args": {"max_length": 1025}}}, "sft.args.max_length: expected at most 1024, the window of"),
        ("sharded", {"dpo": {}}, "has no weights, model-2-of-2.safetensors is missing"),
        (
            "bare",
            {"sft": {}},
            "has no chat template; set train.sft.args.chat_template_path: builtin:alpaca, a .jinja file",
        ),
        ("bare", {"sft": {"args": {"chat_template_path": "bad.jinja"}}}, "train.sft.args.chat_template_path: "),
        ("bare", {"sft": {"args": {"chat_template_path": "no.jinja"}}}, "is neither a .jinja file nor a model"),
        ("good", {"sft": {"lora": {"target_modules": ["x"]}}}, "train.sft.lora.target_modules: Target modules"),
        ("good", {"sft": {}, "dpo": {"args": {"bta": 1}}}, "train.dpo.args.bta: is no argument of trl.DPOConfig"),
        ("good", {"kto": {"args": {"max_lengths": 1}}}, "train.kto.args.max_lengths: is no argument of trl.KTOConfig"),
        ("good", {"kto": {"args": {"per_device_train_batch_size": 1}}}, "train.kto.args.per_device_train_batch_size: "),
        ("good", {"grpo": {"args": {"max_length": 9}}}, "train.grpo.args.max_length: is no argument of trl.GRPOConfig"),
        ("good", {"grpo": {"args": {"num_generations": 7}}}, "must be divisible by num_generations (7)"),
        ("bare", {"grpo": {}}, "has no chat template"),
    ],
)
def test_a_fault_of_the_student_is_named(student: str, block: dict[str, Any], message: str, students: Path) -> None:
    if template := block.get("sft", {}).get("args", {}).get("chat_template_path"):
        block = {"sft": {"args": {"chat_template_path": str(students / template)}}}
    with pytest.raises(ConfigError) as caught:
        check(students, student, **block)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"report_to": "nosuch"}, "report_to: nosuch is not supported"),
        ({"learning_rate": 1e-4, "loss_type": "x"}, "loss_type: Invalid"),
        ({"optim": "x"}, "optim: x is not a valid"),
        ({"truncation_mode": "x"}, "truncation_mode: Unsupported"),
        ({"pad_token": "<x>"}, "pad_token: The specified"),
        ({"lr_scheduler_type": "cosine_with_min_lr"}, "lr_scheduler_type: One of min_lr"),
        ({"eval_strategy": "sometimes"}, "eval_strategy: sometimes is not a valid"),
        ({"per_device_train_batch_size": 0}, "per_device_train_batch_size: expected at least 1, got 0"),
        ({"max_length": "long"}, "max_length: expected a number, got 'long'"),
        ({"max_steps": 0}, "max_steps: expected -1 for whole epochs, or at least 1"),
        ({"save_steps": -1}, "save_steps: expected more than 0"),
    ],
)
def test_a_wrong_argument_is_named(args: dict[str, Any], message: str, students: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        check(students, "good", sft={"args": args})
    assert str(caught.value).startswith(f"train.sft.args.{message}") and "\n" not in str(caught.value)


@pytest.mark.parametrize("package", ["wandb", "tensorboard"])
def test_a_package_for_reports_that_is_missing_is_named(package: str, students: Path) -> None:
    from transformers.integrations import is_tensorboard_available, is_wandb_available

    if {"wandb": is_wandb_available, "tensorboard": is_tensorboard_available}[package]():
        pytest.skip(f"{package} is installed")
    with pytest.raises(ConfigError, match=r"^train\.dpo\.args\.report_to: .* requires "):
        check(students, "good", dpo={"args": {"report_to": package}})


@pytest.mark.parametrize("args", [{"use_cpu": False}, {"model_init_kwargs": {"device_map": "cuda:0"}}])
def test_a_gpu_that_is_not_there_is_one_line(args: dict[str, Any], students: Path) -> None:
    import torch

    if torch.accelerator.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match=r"^train\.sft\.args\.[a-z_.]+: asks for a GPU, and this machine has none"):
        check(students, "good", sft={"args": args})


def test_a_stage_with_a_result_is_not_checked_again_unless_its_settings_change(
    students: Path, dataset: Path, tmp_path: Path
) -> None:
    shutil.copytree(students / "good", tmp_path / "student")
    settings = config(student=str(tmp_path / "student"), sft={"args": {**ROOMY, "max_steps": 1}}, dpo=None)
    train_sft(settings, dataset, tmp_path / "sft", 1)
    (tmp_path / "student" / "model.safetensors").unlink()
    check_train(settings, tmp_path)
    changed = config(student=str(tmp_path / "student"), sft={"args": {**ROOMY, "max_steps": 2}}, dpo=None)
    with pytest.raises(ConfigError, match="has no weights"):
        check_train(changed, tmp_path)
    (tmp_path / "dpo").mkdir()
    (tmp_path / "dpo" / "notes.txt").touch()
    with pytest.raises(StoreError, match="holds something else"):
        check_train(config(student=str(tmp_path / "student"), sft=None, dpo={}), tmp_path)
