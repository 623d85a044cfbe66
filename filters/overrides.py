"""`overrides.jsonl`: what a person said about single rows. It counts more than any filter."""

from codecs import BOM_UTF8
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from skillmill.data.errors import ConfigError
from skillmill.data.files import store_errors
from skillmill.data.reasons import Reason

OVERRIDES = "overrides.jsonl"


class Override(BaseModel):
    """One line: the `id` of a row, the verdict it shall have, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str
    verdict: Literal["accepted", "rejected"]
    note: str = ""


@dataclass(frozen=True)
class Overrides:
    """By row id; `lines` says where each stands."""

    by_id: dict[str, Override] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def over(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with the verdict of its reasons, or of a person where one spoke.

        A row that a person accepted keeps its reasons, so that taking the line out again loses nothing. A row
        without an answer stays rejected: there is nothing to accept.
        """
        reasons = [reason for reason in row["reasons"] if reason != Reason.OVERRIDE]
        said = self.by_id.get(row["id"])
        if said and said.verdict == "rejected":
            reasons.append(Reason.OVERRIDE.value)
        by_hand = said is not None and said.verdict == "accepted" and bool(row["completion"])
        return {**row, "reasons": reasons, "verdict": "accepted" if by_hand or not reasons else "rejected"}


def read_overrides(folder: Path) -> Overrides:
    """The overrides of an `output_dir`, none where it has no file; of two lines for one row the later counts.

    Raises `ConfigError` that names the first bad line.
    """
    path = folder / OVERRIDES
    if not path.exists():
        return Overrides()
    with store_errors(f"cannot read {path}"):
        content = path.read_bytes().removeprefix(BOM_UTF8)  # which some editors of Windows put there
    found = Overrides()
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            override = Override.model_validate_json(line)
        except ValidationError as error:
            raise ConfigError(f"{OVERRIDES}:{number}: {_complaint(error)}") from None
        found.by_id[override.id] = override
        found.lines[override.id] = number
    return found


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    if not first["loc"]:
        return 'expected an object such as {"id": "…", "verdict": "accepted", "note": "…"}'
    key = first["loc"][0]
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key, expected id, verdict, note"
    return f"{key}: {first['msg'][:1].lower()}{first['msg'][1:]}"
