"""What models are tested on, and training data must not hold: the sets that come along, and those of a user's own."""

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from skillmill.data.inputs.datasets import is_address, is_data_file, joined

KNOWN = Path(__file__).parent / "evaluation_sets.yaml"

NAME_LENGTH = 60

Word = Annotated[str, Field(min_length=1)]


class EvaluationSet(BaseModel):
    """The texts in one or several columns of a dataset: a name on the hub, a file, its address, or a folder.

    `subset` is what `datasets` calls a configuration, one or several; `split` is by default `test` of a name on the hub
    and `train`, the only one there is, of a file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH, pattern=r"^[^\s:]+$")]
    dataset: Word
    column: Word | tuple[Word, ...]
    subset: Word | tuple[Word, ...] | None = None
    split: Word | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: Any) -> Any:
        """`gsm8k` is one that comes along, `FILE:COLUMN` a file; one without a name takes that of its dataset."""
        if isinstance(given, str):
            given = _from_text(given)
        if isinstance(given, dict) and isinstance(given.get("dataset"), str) and "name" not in given:
            stem = Path(given["dataset"]).name.partition(".")[0]
            return given | {"name": re.sub(r"[\s:]+", "_", stem)[:NAME_LENGTH]}
        return given

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,) if isinstance(self.column, str) else self.column

    @property
    def subsets(self) -> tuple[str | None, ...]:
        return self.subset if isinstance(self.subset, tuple) else (self.subset,)

    @property
    def split_to_read(self) -> str:
        local = is_address(self.dataset) or is_data_file(self.dataset) or Path(self.dataset).exists()
        return self.split or ("train" if local else "test")

    def relative_to(self, folder: Path) -> "EvaluationSet":
        return self.model_copy(update={"dataset": joined(folder, self.dataset)})


@cache
def known_sets() -> dict[str, dict[str, Any]]:
    """The sets of `evaluation_sets.yaml` by name."""
    known: dict[str, dict[str, Any]] = yaml.load(KNOWN.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return {name: {"name": name, **given} for name, given in known.items()}


def _from_text(text: str) -> dict[str, Any]:
    if text in known_sets():
        return known_sets()[text]
    file, _, column = text.rpartition(":")
    if column and is_data_file(Path(file).name):
        return {"dataset": file, "column": column}
    raise ValueError(
        f"expected FILE:COLUMN, a mapping such as {{dataset: owner/name, column: question}}, or one of "
        f"{', '.join(known_sets())}, got {text!r}"
    )
