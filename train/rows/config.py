"""Where the rows of a training stage come from, and how they are changed and ordered: fields that all stages share.

This module imports no torch, because the command line imports it at every start.
"""

from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from skillmill.data.inputs.datasets import is_hub_name, resolve_dataset_name

LOSS = "loss"
"""The value of `order` for the loss of the student before the training."""
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

    @property
    def name(self) -> str:
        """The name of the set for people and for `train.json`, without local folders."""
        name = Path(self.data).name if self.data != EXPORT and Path(self.data).exists() else self.data
        return name if self.subset is None else f"{name} ({self.subset})"

    def relative_to(self, folder: Path) -> "Part":
        """Return the part with a local path joined to `folder`, the folder of the configuration file."""
        return (
            self if self.data == EXPORT else self.model_copy(update={"data": resolve_dataset_name(folder, self.data)})
        )


class SetsConfig(BaseModel):
    """One or several sets of rows.

    `data`: a set as in `Part`; null is the export of the run. `mixture`: several sets instead.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str | None = Field(default=None, min_length=1)
    mixture: tuple[Part, ...] | None = Field(default=None, min_length=1)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The sets of rows, at least one."""
        return self.mixture or (Part(data=self.data or EXPORT),)

    def part_key(self, place: int) -> str:
        """Return the key of a part: `data`, or that of an element of `mixture`."""
        return f"mixture.{place}.data" if self.mixture else "data"

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

    def sets_relative_to(self, folder: Path) -> Self:
        """Return the settings with the local paths of sets joined to `folder`, the folder of the configuration file."""
        update = {
            "data": self.data and Part(data=self.data).relative_to(folder).data,
            "mixture": self.mixture and tuple(part.relative_to(folder) for part in self.mixture),
        }
        return self.model_copy(update=update)


class Phase(SetsConfig):
    """One of several phases of a training: `epochs` passes over its sets.

    `rehearsal`: the share of the rows of earlier phases that is trained again, mixed with those of this one.
    """

    epochs: int = Field(default=1, ge=1)
    rehearsal: float = Field(default=0.0, ge=0, le=1)


class Markers(BaseModel):
    """Facts about a row, written after its prompt as `[k: 2]` (arXiv 2506.14702).

    `columns`: the columns of the set. `rows`: the share of the rows that have markers. `dropout`: the share of the
    markers of such a row that are left out. So the student learns to do without each of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: tuple[str, ...] = Field(min_length=1)
    rows: float = Field(default=0.5, gt=0, le=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)


class RowsConfig(SetsConfig):
    """The rows of a training stage.

    `phases`: sets that are trained one after the other, instead of `data` and `mixture`. `order`: a column with
    numbers, such as `k`, or "loss", the student's loss on the answers before the training (of SFT); the rows are
    trained from the smallest to the largest value. `markers`: facts that are added to prompts. `response_only`: empties
    the turns of the user, the control of arXiv 2409.14254. `thinking`: whether the student learns to write the column
    `thinking` of a set before its answers. `streaming`: TRL makes the tokens of a row when it comes to it, so that a
    training on very many rows starts at once; of SFT, with `args.max_steps`. The rows of a set on the Hub are then read
    when the training comes to them too, if `is_lazy`.
    """

    sequential: ClassVar[dict[str, Any]] = {"train_sampling_strategy": "sequential"}
    """The arguments with which TRL trains the rows in their order."""

    phases: tuple[Phase, ...] | None = Field(default=None, min_length=2)
    order: str | None = Field(default=None, min_length=1)
    markers: Markers | None = None
    response_only: bool = False
    thinking: bool = True
    streaming: bool = False

    @property
    def groups(self) -> tuple[tuple[str, SetsConfig], ...]:
        """The sets of each phase with the beginning of their keys; a training without phases has one."""
        return tuple((f"phases.{place}.", phase) for place, phase in enumerate(self.phases or ())) or (("", self),)

    @property
    def is_ordered(self) -> bool:
        """Whether the order of the rows matters, so that they are not shuffled."""
        return self.phases is not None or self.order is not None

    @property
    def is_lazy(self) -> bool:
        """Whether rows of sets on the Hub are read when the training comes to them, which needs no count of rows."""
        has_shares = len(self.parts) == 1 or all(part.share for part in self.parts)
        is_counted = self.is_ordered or not has_shares or any(part.rows for part in self.parts)
        on_hub = any(part.data != EXPORT and is_hub_name(part.data) for part in self.parts)
        return self.streaming and on_hub and not is_counted

    @property
    def changes_prompts(self) -> bool:
        """Whether prompts are changed before the training."""
        return self.markers is not None or self.response_only

    @property
    def order_args(self) -> dict[str, Any]:
        """The arguments for TRL that an order and phases need."""
        one_pass = {"num_train_epochs": 1} if self.phases else {}
        return {**one_pass, **self.sequential} if self.is_ordered else {}

    @property
    def further_columns(self) -> tuple[str, ...]:
        """The columns beside those of the method that order and markers need."""
        return (
            *((self.order,) if self.order not in (None, LOSS) else ()),
            *(self.markers.columns if self.markers else ()),
        )

    @property
    def needs_export(self) -> bool:
        """Whether the export of the run is one of the sets."""
        return any(part.data == EXPORT for _, sets in self.groups for part in sets.parts)

    @model_validator(mode="after")
    def _phases_alone(self) -> Self:
        if self.phases and (self.data is not None or self.mixture is not None):
            raise ValueError("phases: expected without data and mixture, which each phase has")
        if self.order == LOSS and (self.phases or self.streaming):
            raise ValueError("order: loss is expected without phases and streaming")
        if self.markers and self.response_only:
            raise ValueError("markers: expected without response_only, which leaves nothing to mark")
        if self.phases and self.phases[0].rehearsal:
            raise ValueError("phases.0.rehearsal: expected 0, as there are no earlier rows")
        return self

    def rows_relative_to(self, folder: Path) -> Self:
        """Return the settings with the local paths of all sets joined to the folder of the configuration file."""
        phases = self.phases and tuple(phase.sets_relative_to(folder) for phase in self.phases)
        return self.sets_relative_to(folder).model_copy(update={"phases": phases})

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
