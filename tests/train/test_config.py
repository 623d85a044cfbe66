import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from skillmill.data.errors import ConfigError, SkillmillError, StoreError
from skillmill.train.config import REWARD_WEIGHTS, DpoConfig, GrpoConfig, LoraConfig, SftConfig, TrainConfig
from skillmill.train.methods.dpo import train_dpo
from skillmill.train.methods.sft import train_sft
from skillmill.train.student import student_path

from .conftest import SEED, config, write_dataset


def test_importing_the_training_loads_neither_torch_nor_trl() -> None:
    code = (
        "import sys; import skillmill.train.config, skillmill.train.methods.sft, skillmill.train.methods.dpo;"
        "print(*{'torch', 'trl', 'transformers', 'peft', 'datasets'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_users_arguments_lie_over_the_papers_defaults() -> None:
    args = SftConfig(args={"max_length": 512}).trl_args()
    assert args["max_length"] == 512
    assert args["lr_scheduler_type"] == "cosine" and args["warmup_steps"] == 0.03
    assert args["completion_only_loss"] is True


@pytest.mark.parametrize("stage", [SftConfig, DpoConfig])
def test_lora_learns_ten_times_faster_than_all_weights(stage: type[SftConfig] | type[DpoConfig]) -> None:
    adapter, full = stage().trl_args(), stage(lora=None).trl_args()
    assert adapter["learning_rate"] == pytest.approx(10 * full["learning_rate"])


def test_dpo_takes_the_adapter_shape_of_sft() -> None:
    both = TrainConfig.model_validate({"sft": {"lora": {"r": 8}}, "dpo": {"args": {"beta": 0.2}}})
    assert both.dpo is not None
    assert both.dpo.lora == LoraConfig(r=8) and both.dpo.args == {"beta": 0.2}
    with pytest.raises(ValidationError, match=r"dpo\.lora"):
        TrainConfig.model_validate({"sft": {"lora": {"r": 8}}, "dpo": {"lora": {"r": 4}}})


def test_a_student_of_the_stress_set_lies_beside_the_other() -> None:
    assert [TrainConfig.model_validate({"sft": {}}).folder(stage) for stage in ("sft", "dpo")] == ["sft", "dpo"]
    stressed = TrainConfig.model_validate({"sft": {"dataset": "stress"}})
    assert [stressed.folder(stage) for stage in ("sft", "dpo")] == ["sft-stress", "dpo-stress"]


@pytest.mark.parametrize(
    ("block", "where"),
    [
        ({"sft": {"epochs": 3}}, "sft.epochs"),
        ({"sft": {"lora": {"rank": 3}}}, "sft.lora.rank"),
        ({"dpo": {"args": {"output_dir": "/"}}}, "dpo.args"),
        ({"dpo": {"args": {"push_to_hub": True}}}, "dpo.args"),
    ],
)
def test_what_is_not_configurable_is_an_error_with_its_place(block: dict[str, object], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TrainConfig.model_validate(block)
    assert ".".join(map(str, caught.value.errors()[0]["loc"])) == where


def test_an_empty_dataset_is_one_clear_line(tmp_path: Path) -> None:
    empty = write_dataset(tmp_path / "export", rows=0, pairs=0)
    with pytest.raises(SkillmillError, match=r"^train: the dataset has no rows") as caught:
        train_sft(config(), empty, tmp_path / "sft", SEED)
    assert caught.value.exit_code == 1
    with pytest.raises(SkillmillError, match=r"^train: the dataset has no rows"):
        train_dpo(config(), empty, tmp_path / "dpo", None, SEED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export"]


def test_what_cannot_start_says_what_is_missing(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "export", rows=1, pairs=1)
    with pytest.raises(ConfigError, match=r"train\.sft: .*nowhere is no exported dataset"):
        train_sft(config(), tmp_path / "nowhere", tmp_path / "sft", SEED)
    with pytest.raises(ConfigError, match=r"train\.sft: missing"):
        train_sft(TrainConfig(), data, tmp_path / "sft", SEED)
    with pytest.raises(ConfigError, match=r"sft/train\.json is missing"):
        train_dpo(config(), data, tmp_path / "dpo", tmp_path / "sft", SEED)
    with pytest.raises(StoreError, match="something else"):
        train_sft(config(), data, data, SEED)


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trl", None)  # how Python marks what cannot be imported
    data = write_dataset(tmp_path / "export", rows=1, pairs=1)
    with pytest.raises(ConfigError, match=r'^train: needs the extra: pip install "skillmill\[train\]"$'):
        train_sft(config(), data, tmp_path / "sft", SEED)


def test_a_student_must_be_on_this_machine(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.student: .*config\.json"):
        student_path(str(tmp_path))


def test_a_preset_lies_between_the_defaults_and_the_users_settings() -> None:
    paper = SftConfig.model_validate({"preset": "paper", "args": {"num_train_epochs": 2}})
    args = paper.trl_args()
    assert paper.lora is None and paper.select == "held_out" and args["load_best_model_at_end"] is True
    assert args["num_train_epochs"] == 2 and args["learning_rate"] == 2e-5 and args["max_length"] == 1024
    assert args["per_device_train_batch_size"] * args["gradient_accumulation_steps"] == 64
    other = SftConfig.model_validate({"preset": "paper", "lora": {"r": 8}, "select": "last"})
    assert other.lora == LoraConfig(r=8) and other.select == "last" and other.trl_args()["num_train_epochs"] == 15
    assert SftConfig.model_validate({"preset": "chat-lora"}).trl_args()["learning_rate"] == 2e-4
    assert SftConfig.model_validate(paper.model_dump()) == paper
    with pytest.raises(ValidationError, match="preset"):
        SftConfig.model_validate({"preset": "chat"})
    with pytest.raises(ValidationError, match=r"there is no builtin:chat, expected builtin:alpaca"):
        SftConfig.model_validate({"args": {"chat_template_path": "builtin:chat"}})


def test_rewards_have_weights_and_unknown_ones_are_named() -> None:
    grpo = GrpoConfig.model_validate({"rewards": {"effort": 0.2}})
    assert grpo.rewards["effort"] == 0.2 and grpo.rewards["skills"] == 1.0 and "max_length" not in grpo.trl_args()
    with pytest.raises(ValidationError, match="there is no reward 'style', expected skills, unnamed"):
        GrpoConfig.model_validate({"rewards": {"style": 1}})
    with pytest.raises(ValidationError, match="all rewards have the weight 0"):
        GrpoConfig.model_validate({"rewards": dict.fromkeys(REWARD_WEIGHTS, 0)})
