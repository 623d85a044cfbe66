"""The `train:` block of the configuration. Imports no torch: the command line loads it at every start."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

EPOCHS_WITHOUT_SELECTION = 3
"""The paper trains 15 epochs and keeps the best by win rate (epoch 7); without that choice fewer are safer."""

RESERVED_ARGS = {
    "output_dir": "is chosen by skillmill",
    "push_to_hub": "is not for training, which never contacts a hub",
}

# Batches of 64 rows, cosine after 3 % of linear warm-up, 1,024 tokens: Instruct-SkillMix's code (papers 3.8).
COMMON_ARGS: dict[str, Any] = {
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 16,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.03,  # below 1 it is a share of all steps
    "max_length": 1024,
    "logging_steps": 1,
    "logging_nan_inf_filter": False,  # a diverged loss must show
    "save_strategy": "no",
    "report_to": "none",
}


def _no_reserved(args: dict[str, Any]) -> dict[str, Any]:
    for key, why in RESERVED_ARGS.items():
        if key in args:
            raise ValueError(f"`{key}` {why}")
    return args


class LoraConfig(BaseModel):
    """Low-rank adapters; the fields are those of `peft.LoraConfig`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    r: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: str | list[str] = "all-linear"


class StageConfig(BaseModel):
    """One training. `lora: null` trains all weights; `args` go to TRL's own configuration untouched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    defaults: ClassVar[dict[str, Any]] = {}
    full_rate: ClassVar[float]
    lora_rate: ClassVar[float]

    lora: LoraConfig | None = LoraConfig()
    args: Annotated[dict[str, Any], AfterValidator(_no_reserved)] = {}

    def trl_args(self) -> dict[str, Any]:
        """The arguments for TRL: the user's over our defaults."""
        rate = self.lora_rate if self.lora else self.full_rate
        return {**COMMON_ARGS, "learning_rate": rate, **self.defaults, **self.args}


class SftConfig(StageConfig):
    """`train.sft`: imitate the answers of a `dataset` of the export; `args` are those of `trl.SFTConfig`."""

    dataset: Literal["sft", "stress"] = "sft"

    defaults: ClassVar[dict[str, Any]] = {
        "num_train_epochs": EPOCHS_WITHOUT_SELECTION,
        "completion_only_loss": True,
    }
    full_rate: ClassVar[float] = 2e-5  # papers 3.8
    lora_rate: ClassVar[float] = 2e-4  # LoRA wants about ten times the rate of full fine-tuning


class DpoConfig(StageConfig):
    """`train.dpo`: prefer the accepted answer to a shirked one; `args` are those of `trl.DPOConfig`."""

    defaults: ClassVar[dict[str, Any]] = {"num_train_epochs": 1, "beta": 0.1}
    full_rate: ClassVar[float] = 1e-6  # TRL's own default
    lora_rate: ClassVar[float] = 1e-5


class TrainConfig(BaseModel):
    """What to train. `student` is a folder or the name of a model in the local Hugging Face cache.

    `student: null` is the embedded SmolLM2-135M-Instruct. DPO continues the SFT adapter, so that
    `dpo.lora` follows `sft.lora` where it is not given, and must not differ from it where it is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    student: str | None = None
    sft: SftConfig | None = None
    dpo: DpoConfig | None = None

    def folder(self, stage: str) -> str:
        """The name of the folder of a stage's result: a student of the stress set lies beside the other."""
        return f"{stage}-stress" if self.sft and self.sft.dataset == "stress" else stage

    @model_validator(mode="after")
    def _dpo_continues_sft(self) -> "TrainConfig":
        if not (self.sft and self.dpo):
            return self
        if "lora" not in self.dpo.model_fields_set:
            object.__setattr__(self, "dpo", DpoConfig(lora=self.sft.lora, args=self.dpo.args))
        elif self.sft.lora and self.dpo.lora and self.sft.lora != self.dpo.lora:
            raise ValueError("dpo.lora: must be that of sft.lora, whose adapter DPO continues, or null")
        return self
