"""The `train:` block of the configuration, with our default hyper-parameters for SFT and DPO.

This module imports no torch, because the command line imports it at every start.
"""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from skillmill.train.rows.config import RowsConfig

EPOCHS_WITHOUT_SELECTION = 3
"""Instruct-SkillMix (arXiv 2408.14774) trains 15 epochs and keeps the checkpoint with the best win rate, epoch 7 for
Llama 3. Without this selection, fewer epochs reduce the risk of overfitting."""

TEMPLATE = "chat_template_path"
"""The argument of SFT that names a `.jinja` file, or a model with a chat template."""

RESERVED_ARGS = {
    "output_dir": "is chosen by skillmill",
    "push_to_hub": "is not for training, which never contacts a hub",
    "resume_from_checkpoint": "is chosen by skillmill: the newest checkpoint of the same training is continued",
}
"""TRL arguments that cannot be configured, and why."""

COMMON_ARGS: dict[str, Any] = {
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 16,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.03,  # a value below 1 is a share of all steps
    "max_length": 1024,
    "logging_steps": 1,
    "logging_nan_inf_filter": False,  # the log must show a loss that is not finite
    "report_to": "none",
}
"""Defaults of both stages. The batch size of 64, the cosine schedule after 3 % of linear warm-up, and the length of
1,024 tokens are those of the released training code of Instruct-SkillMix (arXiv 2408.14774)."""

CHECKPOINT_ARGS: dict[str, Any] = {
    "save_strategy": "steps",
    "save_steps": 0.1,  # a value below 1 is a share of all steps
    "save_total_limit": 2,  # the last one stays while the next one is written
}
"""Defaults for the checkpoints that a stopped training continues from, if `save_strategy` is not configured. They are
deleted when the training is finished."""


def _reject_reserved(args: dict[str, Any]) -> dict[str, Any]:
    for key, why in RESERVED_ARGS.items():
        if key in args:
            raise ValueError(f"`{key}` {why}")
    return args


class LoraConfig(BaseModel):
    """Low-rank adapters. The fields are those of `peft.LoraConfig`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    r: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: str | list[str] = "all-linear"


class StageConfig(RowsConfig):
    """Settings of one training stage.

    `lora: null` trains all weights. `args` are passed to TRL unchanged. `max_cut`: the largest share of the answers
    that `args.max_length` may cut or leave out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    defaults: ClassVar[dict[str, Any]] = {}
    full_learning_rate: ClassVar[float]
    lora_learning_rate: ClassVar[float]

    lora: LoraConfig | None = LoraConfig()
    args: Annotated[dict[str, Any], AfterValidator(_reject_reserved)] = Field(default_factory=dict)
    max_cut: float = Field(default=0.05, ge=0, le=1)

    @property
    def keeps_checkpoints(self) -> bool:
        """Whether the result keeps the checkpoints, because `save_strategy` is configured."""
        return "save_strategy" in self.args

    def trl_args(self) -> dict[str, Any]:
        """Return the arguments for TRL: our defaults, overridden by the configured `args`."""
        learning_rate = self.lora_learning_rate if self.lora else self.full_learning_rate
        checkpoints = {} if self.keeps_checkpoints else CHECKPOINT_ARGS
        return {**COMMON_ARGS, **checkpoints, "learning_rate": learning_rate, **self.defaults, **self.args}


class SftConfig(StageConfig):
    """`train.sft`: supervised fine-tuning on `dataset` of the export. `args` are those of `trl.SFTConfig`."""

    dataset: Literal["sft", "stress"] = "sft"

    defaults: ClassVar[dict[str, Any]] = {
        "num_train_epochs": EPOCHS_WITHOUT_SELECTION,
        "completion_only_loss": True,
    }
    full_learning_rate: ClassVar[float] = 2e-5  # Instruct-SkillMix (arXiv 2408.14774), released training code
    lora_learning_rate: ClassVar[float] = 2e-4  # LoRA needs about ten times the rate of full fine-tuning


class DpoConfig(StageConfig):
    """`train.dpo`: preference optimisation with DPO, including its `beta`. `args` are those of `trl.DPOConfig`."""

    defaults: ClassVar[dict[str, Any]] = {"num_train_epochs": 1, "beta": 0.1}
    full_learning_rate: ClassVar[float] = 1e-6  # TRL's own default
    lora_learning_rate: ClassVar[float] = 1e-5


class TrainConfig(BaseModel):
    """The training stages and their student.

    `student` is a folder or the name of a model in the local Hugging Face cache; null is the embedded
    SmolLM2-135M-Instruct. DPO continues the SFT adapter: without `dpo.lora` it has the value of `sft.lora`, and any
    other value except null is an error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    student: str | None = None
    sft: SftConfig | None = None
    dpo: DpoConfig | None = None

    def folder(self, stage: str) -> str:
        """Return the folder name of a stage's result; a student of the stress set has a folder of its own."""
        return f"{stage}-stress" if self.sft and self.sft.dataset == "stress" else stage

    def relative_to(self, folder: Path) -> "TrainConfig":
        """Return the settings with paths that exist in `folder`, the folder of the configuration file, joined to it."""

        def resolved(name: str) -> str:
            path = folder / Path(name).expanduser()
            return str(path) if path.exists() else name

        update: dict[str, Any] = {"student": self.student and resolved(self.student)}
        stages = {"sft": self.sft, "dpo": self.dpo}
        update |= {stage: settings.rows_relative_to(folder) for stage, settings in stages.items() if settings}
        if self.sft and isinstance(template := self.sft.args.get(TEMPLATE), str):
            args = {**self.sft.args, TEMPLATE: resolved(template)}
            update["sft"] = update["sft"].model_copy(update={"args": args})
        return self.model_copy(update=update)

    @model_validator(mode="after")
    def _dpo_continues_sft(self) -> "TrainConfig":
        if not (self.sft and self.dpo):
            return self
        if "lora" not in self.dpo.model_fields_set:
            object.__setattr__(self, "dpo", self.dpo.model_copy(update={"lora": self.sft.lora}))
        elif self.sft.lora and self.dpo.lora and self.sft.lora != self.dpo.lora:
            raise ValueError("dpo.lora: must be that of sft.lora, whose adapter DPO continues, or null")
        return self
