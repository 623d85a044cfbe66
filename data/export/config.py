"""The `export` section of the configuration."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from skillmill.data.export.thinking import Thinking

Format = Literal["alpaca", "sharegpt", "openai", "json"]
"""A further form of the `sft` rows: JSON Lines files. `json` has all columns, the others are those of trainers."""


class StressConfig(BaseModel):
    """The `export.stress` section: a `share` of the `sft` answers is replaced by low-effort ones.

    `kind` both alternates brevity and junk, the two kinds of Instruct-SkillMix (arXiv 2408.14774, section 4).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["brevity", "junk", "both"] = "brevity"
    share: float = Field(0.2, gt=0, le=1)


class ExportConfig(BaseModel):
    """The `export` section.

    `repo_id`: the dataset repository on the Hugging Face Hub that `publish` writes to. `private`: a repository that it
    creates is private. `create_pr`: it opens a pull request instead of a commit on the main branch. `thinking`: where
    the thinking of a reasoning teacher is in `sft` and `rejected`. `formats`: further forms of the `sft` rows.
    `validation`: the share of the cells whose rows are in the split `validation`. `stress` adds a dataset configuration
    of that name: `sft` with some answers made worse.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    repo_id: str | None = None
    private: bool = True
    create_pr: bool = False
    thinking: Thinking = "drop"
    formats: tuple[Format, ...] = ()
    validation: float = Field(0.0, ge=0, lt=1)
    stress: StressConfig | None = None

    @field_validator("formats")
    @classmethod
    def _each_once(cls, value: tuple[Format, ...]) -> tuple[Format, ...]:
        return tuple(dict.fromkeys(value))

    @field_validator("repo_id")
    @classmethod
    def _is_a_repo_id(cls, value: str | None) -> str | None:
        if value is not None:
            from huggingface_hub.errors import HFValidationError  # imported here because the import takes 0.2 s
            from huggingface_hub.utils._validators import validate_repo_id

            try:
                validate_repo_id(value)
                if "/" not in value:
                    raise HFValidationError
            except HFValidationError:
                raise ValueError(f"expected owner/name of letters, digits, '-', '_' and '.', got {value!r}") from None
        return value
