"""The `train:` block of the configuration, with our default hyper-parameters for each method.

This module imports no torch, because the command line imports it at every start.
"""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from skillmill.train.presets import BUILTIN_TEMPLATES, PRESETS
from skillmill.train.rows.config import RowsConfig

STAGES = ("sft", "dpo", "kto", "grpo")
"""The training stages in the order of a run. Each has settings of the same name; the later ones can continue `sft`."""

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
"""Defaults of all stages. The batch size of 64, the cosine schedule after 3 % of linear warm-up, and the length of
1,024 tokens are those of the released training code of Instruct-SkillMix (arXiv 2408.14774)."""

CHECKPOINT_ARGS: dict[str, Any] = {
    "save_strategy": "steps",
    "save_steps": 0.1,  # a value below 1 is a share of all steps
    "save_total_limit": 2,  # the last one stays while the next one is written
}
"""Defaults for the checkpoints that a stopped training continues from, if `save_strategy` is not configured. They are
deleted when the training is finished."""


SELECTION_ARGS: dict[str, Any] = {
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "save_total_limit": 2,  # the best and the last one
    "load_best_model_at_end": True,
}
"""Defaults if the weights of the epoch with the best held-out loss are kept, as in Instruct-SkillMix."""


def _reject_reserved(args: dict[str, Any]) -> dict[str, Any]:
    template = str(args.get(TEMPLATE))
    if template.startswith("builtin:") and template not in BUILTIN_TEMPLATES:
        raise ValueError(f"`{TEMPLATE}`: there is no {template}, expected {', '.join(BUILTIN_TEMPLATES)}")
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
    that `args.max_length` may cut or leave out. `held_out`: the share of the rows that is set aside to measure the loss
    on, if the dataset has no validation rows. `select`: which weights are kept, those after the last epoch or those
    after the epoch with the best held-out loss.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    defaults: ClassVar[dict[str, Any]] = {}
    unknown: ClassVar[tuple[str, ...]] = ()
    """The arguments of `COMMON_ARGS` that the method has not."""
    measure: ClassVar[str] = "loss"
    """What is measured on held-out rows: the loss, or the reward."""
    full_learning_rate: ClassVar[float]
    lora_learning_rate: ClassVar[float]

    lora: LoraConfig | None = LoraConfig()
    args: Annotated[dict[str, Any], AfterValidator(_reject_reserved)] = Field(default_factory=dict)
    max_cut: float = Field(default=0.05, ge=0, le=1)
    held_out: float = Field(default=0.05, ge=0, le=0.5)
    select: Literal["last", "held_out"] = "last"

    @property
    def keeps_checkpoints(self) -> bool:
        """Whether the result keeps the checkpoints, because `save_strategy` is configured."""
        return "save_strategy" in self.args

    def trl_args(self) -> dict[str, Any]:
        """Return the arguments for TRL: our defaults, overridden by the configured `args`."""
        learning_rate = self.lora_learning_rate if self.lora else self.full_learning_rate
        checkpoints = {} if self.keeps_checkpoints else CHECKPOINT_ARGS
        common = {key: value for key, value in COMMON_ARGS.items() if key not in self.unknown}
        args = {**common, **checkpoints, "learning_rate": learning_rate, **self.defaults, **self.order_args}
        if self.select == "held_out":
            args |= {**SELECTION_ARGS, "metric_for_best_model": f"eval_{self.measure}"}
            args["greater_is_better"] = self.measure == "reward"
        return {**args, **self.args}


class SftConfig(StageConfig):
    """`train.sft`: supervised fine-tuning on `dataset` of the export. `args` are those of `trl.SFTConfig`.

    `preset` names a set of `PRESETS`, which the other settings override, `args` one by one.
    """

    preset: Literal["paper", "chat-lora"] | None = None
    dataset: Literal["sft", "stress"] = "sft"

    defaults: ClassVar[dict[str, Any]] = {
        "num_train_epochs": EPOCHS_WITHOUT_SELECTION,
        "completion_only_loss": True,
        "eval_packing": False,  # held-out rows are measured one by one
    }
    full_learning_rate: ClassVar[float] = 2e-5  # Instruct-SkillMix (arXiv 2408.14774), released training code
    lora_learning_rate: ClassVar[float] = 2e-4  # LoRA needs about ten times the rate of full fine-tuning

    @model_validator(mode="before")
    @classmethod
    def _over_preset(cls, given: Any) -> Any:
        preset = PRESETS.get(str(given.get("preset"))) if isinstance(given, dict) else None
        if preset is None or not isinstance(args := given.get("args", {}), dict):
            return given
        return {**preset, **given, "args": {**preset["args"], **args}}


class DpoConfig(StageConfig):
    """`train.dpo`: preference optimisation with DPO, including its `beta`. `args` are those of `trl.DPOConfig`."""

    defaults: ClassVar[dict[str, Any]] = {"num_train_epochs": 1, "beta": 0.1}
    full_learning_rate: ClassVar[float] = 1e-6  # TRL's own default
    lora_learning_rate: ClassVar[float] = 1e-5


class KtoConfig(StageConfig):
    """`train.kto`: accepted and rejected answers, one by one, with KTO. `args` are those of `trl.KTOConfig`."""

    defaults: ClassVar[dict[str, Any]] = {"num_train_epochs": 1, "beta": 0.1}
    full_learning_rate: ClassVar[float] = 1e-6  # TRL's own default
    lora_learning_rate: ClassVar[float] = 1e-5


REWARD_WEIGHTS = {
    "skills": 1.0,
    "unnamed": 0.5,
    "within_limit": 0.5,
    "on_topic": 0.5,
    "makes_sense": 0.5,
    "effort": 0.0,
}
"""The rewards of GRPO by rules (`methods/rewards.py`) and their weights in the sum."""


def _with_all_rewards(weights: dict[str, float]) -> dict[str, float]:
    for name in weights:
        if name not in REWARD_WEIGHTS:
            raise ValueError(f"there is no reward {name!r}, expected {', '.join(REWARD_WEIGHTS)}")
    merged = {**REWARD_WEIGHTS, **weights}
    if not any(merged.values()):
        raise ValueError("all rewards have the weight 0, expected one with another weight")
    return merged


class GrpoConfig(StageConfig):
    """`train.grpo`: rewards by rules with GRPO. `args` are those of `trl.GRPOConfig`.

    `rewards`: the weight of each reward in the sum; a weight of 0 leaves the reward out.
    """

    rewards: Annotated[dict[str, float], AfterValidator(_with_all_rewards)] = REWARD_WEIGHTS

    defaults: ClassVar[dict[str, Any]] = {"num_train_epochs": 1, "max_completion_length": 512}
    sequential: ClassVar[dict[str, Any]] = {"shuffle_dataset": False}
    unknown: ClassVar[tuple[str, ...]] = ("max_length",)
    measure: ClassVar[str] = "reward"
    full_learning_rate: ClassVar[float] = 1e-6  # TRL's own default
    lora_learning_rate: ClassVar[float] = 1e-5


ExportFormat = Literal["adapter", "merged", "gguf"]


class TrainConfig(BaseModel):
    """The training stages and their student.

    `student` is a folder or the name of a model in the local Hugging Face cache; null is the embedded
    SmolLM2-135M-Instruct. DPO, KTO and GRPO continue the SFT adapter: without `lora` of their own they have the value
    of `sft.lora`, and any other value except null is an error. `export`: the forms in which the student of the last
    stage is written into `train/student` (`export/student.py`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    student: str | None = None
    sft: SftConfig | None = None
    dpo: DpoConfig | None = None
    kto: KtoConfig | None = None
    grpo: GrpoConfig | None = None
    export: tuple[ExportFormat, ...] = ()

    @property
    def stages(self) -> list[str]:
        """The stages that have settings, in the order of a run."""
        return [stage for stage in STAGES if getattr(self, stage) is not None]

    def folder(self, stage: str) -> str:
        """Return the folder name of a stage's result; a student of the stress set has a folder of its own."""
        return f"{stage}-stress" if self.sft and self.sft.dataset == "stress" else stage

    def relative_to(self, folder: Path) -> "TrainConfig":
        """Return the settings with paths that exist in `folder`, the folder of the configuration file, joined to it."""

        def resolved(name: str) -> str:
            path = folder / Path(name).expanduser()
            return str(path) if path.exists() else name

        update: dict[str, Any] = {"student": self.student and resolved(self.student)}
        update |= {stage: getattr(self, stage).rows_relative_to(folder) for stage in self.stages}
        if self.sft and isinstance(template := self.sft.args.get(TEMPLATE), str):
            args = {**self.sft.args, TEMPLATE: resolved(template)}
            update["sft"] = update["sft"].model_copy(update={"args": args})
        return self.model_copy(update=update)

    @model_validator(mode="after")
    def _later_stages_continue_sft(self) -> "TrainConfig":
        sft = self.sft
        for stage in self.stages[1:] if sft else ():
            settings = getattr(self, stage)
            if "lora" not in settings.model_fields_set:
                object.__setattr__(self, stage, settings.model_copy(update={"lora": sft and sft.lora}))
            elif sft and sft.lora and settings.lora and sft.lora != settings.lora:
                raise ValueError(
                    f"{stage}.lora: must be that of sft.lora, whose adapter {stage.upper()} continues, or null"
                )
        return self
