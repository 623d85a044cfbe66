"""`overrides.jsonl`: verdicts that a person sets for single rows. An override takes precedence over every filter."""

from codecs import BOM_UTF8
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from skillmill.data.errors import ConfigError
from skillmill.data.files import store_errors
from skillmill.data.reasons import OVERRIDE
from skillmill.data.records import SampleRow

FILE_NAME = "overrides.jsonl"


class Override(BaseModel):
    """One line of the file: the `id` of a row, the verdict that a person sets, and a note for people."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str
    verdict: Literal["accepted", "rejected"]
    note: str = ""


@dataclass(frozen=True)
class Overrides:
    """The overrides of a run, by row id."""

    by_id: dict[str, Override] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    """The line number of each override in the file, by row id, from 1."""

    def apply(self, row: SampleRow) -> SampleRow:
        """Return the row with the verdict of its override, or else the verdict that its reasons imply.

        An accepted row keeps the reasons of the filters, so that removing the override restores their verdict. A row
        without an answer stays rejected, because it has nothing to accept.
        """
        reasons = [reason for reason in row["reasons"] if reason != OVERRIDE]
        override = self.by_id.get(row["id"])
        if override and override.verdict == "rejected":
            reasons.append(str(OVERRIDE))
        accepted_by_hand = override is not None and override.verdict == "accepted" and bool(row["completion"])
        return {**row, "reasons": reasons, "verdict": "accepted" if accepted_by_hand or not reasons else "rejected"}


def read_overrides(folder: Path) -> Overrides:
    """Return the overrides of an `output_dir`, none if it has no such file. The last line for a row counts.

    Raises `ConfigError`, which names the first bad line, and `StoreError` if the file cannot be read.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return Overrides()
    with store_errors(f"cannot read {path}"):
        content = path.read_bytes().removeprefix(BOM_UTF8)  # written by some editors on Windows
    overrides = Overrides()
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            override = Override.model_validate_json(line)
        except ValidationError as error:
            raise ConfigError(f"{FILE_NAME}:{number}: {_message(error)}") from None
        overrides.by_id[override.id] = override
        overrides.lines[override.id] = number
    return overrides


def _message(error: ValidationError) -> str:
    """Return what is wrong with a line, by the first error in it."""
    first = error.errors(include_url=False)[0]
    if not first["loc"]:
        return 'expected an object such as {"id": "…", "verdict": "accepted", "note": "…"}'
    key = first["loc"][0]
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key, expected id, verdict, note"
    return f"{key}: {first['msg'][:1].lower()}{first['msg'][1:]}"
