"""Evaluation sets, whose texts training data must not contain: the shipped list and sets that a user names."""

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from skillmill.data.inputs.datasets import is_data_file, is_url, resolve_dataset_name

KNOWN = Path(__file__).parent / "evaluation_sets.yaml"

NAME_LENGTH = 60

Word = Annotated[str, Field(min_length=1)]


class EvaluationSet(BaseModel):
    """The texts in one or several columns of a dataset.

    `dataset` is a name on the Hugging Face hub, a file, the URL of a file, or a folder. `subset` is one or several
    configurations of the dataset. `split` defaults to `test` for a name on the hub and to `train`, the only split, for
    a file. `encoding` is that of a text file, UTF-8 by default. `name` defaults to the stem of `dataset`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH, pattern=r"^[^\s:]+$")]
    dataset: Word
    column: Word | tuple[Word, ...]
    subset: Word | tuple[Word, ...] | None = None
    split: Word | None = None
    encoding: Word | None = None

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, value: Any) -> Any:
        """Expand the name of a shipped set or `FILE:COLUMN` to a mapping, and add the default name."""
        if isinstance(value, str):
            value = _from_text(value)
        if isinstance(value, dict) and isinstance(value.get("dataset"), str) and "name" not in value:
            stem = Path(value["dataset"]).name.partition(".")[0]
            return value | {"name": re.sub(r"[\s:]+", "_", stem)[:NAME_LENGTH]}
        return value

    @property
    def columns(self) -> tuple[str, ...]:
        """`column` as a tuple."""
        return (self.column,) if isinstance(self.column, str) else self.column

    @property
    def subsets(self) -> tuple[str | None, ...]:
        """`subset` as a tuple; (None,) is the default configuration."""
        return self.subset if isinstance(self.subset, tuple) else (self.subset,)

    @property
    def split_to_read(self) -> str:
        """`split`, or its default for this kind of dataset."""
        local = is_url(self.dataset) or is_data_file(self.dataset) or Path(self.dataset).exists()
        return self.split or ("train" if local else "test")

    def relative_to(self, folder: Path) -> "EvaluationSet":
        """Return the set with a relative path of `dataset` resolved against `folder`."""
        return self.model_copy(update={"dataset": resolve_dataset_name(folder, self.dataset)})


@cache
def known_sets() -> dict[str, dict[str, Any]]:
    """Return the fields of the sets in `evaluation_sets.yaml`, by name."""
    known: dict[str, dict[str, Any]] = yaml.load(KNOWN.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return {name: {"name": name, **fields} for name, fields in known.items()}


def _from_text(text: str) -> dict[str, Any]:
    """Return the fields of the set that a text in the configuration names; raise `ValueError` if it names none."""
    if text in known_sets():
        return known_sets()[text]
    file, _, column = text.rpartition(":")
    if column and is_data_file(Path(file).name):
        return {"dataset": file, "column": column}
    raise ValueError(
        f"expected FILE:COLUMN, a mapping such as {{dataset: owner/name, column: question}}, or one of "
        f"{', '.join(known_sets())}, got {text!r}"
    )
