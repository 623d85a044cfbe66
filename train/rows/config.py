"""Where the rows of a training stage come from: the fields that all stages share.

This module imports no torch, because the command line imports it at every start.
"""

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from skillmill.data.inputs.datasets import resolve_dataset_name

EXPORT = "export"
"""The value of `data` for the export of the run."""


class Part(BaseModel):
    """One set of a mixture.

    `data`: "export", the path of a file or folder, or a name on the Hugging Face Hub. `subset` and `split`: those of a
    dataset in a folder or on the Hub. `encoding`: that of a text file, null is UTF-8. `share`: the share of the rows of
    the mixture, more than 0 and at most 1. `rows`: a number of rows. With neither, all rows of the set are taken.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field(default=EXPORT, min_length=1)
    subset: str | None = None
    split: str = "train"
    encoding: str | None = None
    share: float | None = Field(default=None, gt=0, le=1)
    rows: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _is_one_measure(self) -> Self:
        if self.share is not None and self.rows is not None:
            raise ValueError("share and rows: expected one of them")
        return self

    def relative_to(self, folder: Path) -> "Part":
        """Return the part with a local path joined to `folder`, the folder of the configuration file."""
        return (
            self if self.data == EXPORT else self.model_copy(update={"data": resolve_dataset_name(folder, self.data)})
        )


class RowsConfig(BaseModel):
    """The rows of a training stage.

    `data`: a set of rows as in `Part`; null is the export of the run. `mixture`: several sets instead.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str | None = Field(default=None, min_length=1)
    mixture: tuple[Part, ...] | None = Field(default=None, min_length=1)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The sets of rows, at least one."""
        return self.mixture or (Part(data=self.data or EXPORT),)

    def part_key(self, place: int) -> str:
        """Return the key of a part below the stage's key: `data`, or that of an element of `mixture`."""
        return f"mixture.{place}.data" if self.mixture else "data"

    def row_settings(self) -> dict[str, Any]:
        """Return the settings of the rows that are not the defaults, as JSON values."""
        return self.model_dump(mode="json", include=set(RowsConfig.model_fields), exclude_defaults=True)

    def described_rows(self) -> dict[str, Any]:
        """Return `row_settings` without the folders of local files, for `train.json`."""

        def shown(value: Any, key: str = "") -> Any:
            if isinstance(value, dict):
                return {key: shown(item, key) for key, item in value.items()}
            if isinstance(value, list):
                return [shown(item) for item in value]
            return Path(value).name if key == "data" and Path(value).exists() else value

        described: dict[str, Any] = shown(self.row_settings())
        return described

    @field_validator("mixture")
    @classmethod
    def _shares_sum_to_one(cls, mixture: tuple[Part, ...] | None) -> tuple[Part, ...] | None:
        shares = [part.share for part in mixture or () if part.share is not None]
        if shares and len(shares) < len(mixture or ()):
            raise ValueError("expected a share for every set, or for none")
        if shares and abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"expected shares that sum to 1, got {sum(shares):g}")
        return mixture

    @model_validator(mode="after")
    def _data_or_mixture(self) -> Self:
        if self.data is not None and self.mixture is not None:
            raise ValueError("data and mixture: expected one of them; a mixture can have `data: export`")
        return self

    def rows_relative_to(self, folder: Path) -> Self:
        """Return the settings with the local paths of sets joined to `folder`, the folder of the configuration file."""
        update = {
            "data": self.data and Part(data=self.data).relative_to(folder).data,
            "mixture": self.mixture and tuple(part.relative_to(folder) for part in self.mixture),
        }
        return self.model_copy(update=update)
