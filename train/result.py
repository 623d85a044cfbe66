"""The result of a training: its record, and the files beside the weights (model card, log, marker `train.json`)."""

import math
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from skillmill.data.errors import SkillmillError, StoreError
from skillmill.data.files import sync

MARKER = "train.json"
"""The file that marks a complete training. It is written last and holds the `TrainResult`."""
LOG = "log.jsonl"
CARD = "README.md"
LIBRARIES = ("skillmill", "trl", "peft", "transformers", "torch", "datasets")


@dataclass(frozen=True)
class TrainResult:
    """One finished training. `losses` are the logged losses in order. `reused`: the result of an earlier call.

    `rows` were trained on. `cut` answers of them lost tokens to `max_length`, `left_out` further rows lost the whole
    answer; None in results of earlier versions, which did not count them.
    """

    stage: str
    path: Path
    fingerprint: str
    student: str
    adapter: bool
    rows: int
    steps: int
    losses: tuple[float, ...]
    cut: int | None = None
    left_out: int | None = None
    reused: bool = False

    @property
    def first_loss(self) -> float:
        """The first logged loss."""
        return self.losses[0]

    @property
    def final_loss(self) -> float:
        """The last logged loss."""
        return self.losses[-1]


def finished(folder: Path) -> TrainResult | None:
    """Return the training in `folder`, None if it is empty or missing. Raises `StoreError` if it has other content."""
    if not folder.exists():
        return None
    try:
        marker = orjson.loads((folder / MARKER).read_bytes())
        result = TrainResult(**{**marker["result"], "path": folder, "losses": tuple(marker["result"]["losses"])})
    except FileNotFoundError:
        if any(folder.iterdir()):
            raise StoreError(
                f"train: {folder} holds something else than a training; empty it or choose another folder"
            ) from None
        return None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise StoreError(f"train: {folder / MARKER} is damaged; delete {folder} to train again") from None
    return replace(result, reused=True)


def check_losses(result: TrainResult, learning_rate: object) -> None:
    """Raise `SkillmillError` if no loss was logged or a loss is not finite."""
    if not result.losses or not all(map(math.isfinite, result.losses)):
        raise SkillmillError(
            f"train.{result.stage}: the loss is not finite; lower train.{result.stage}.args.learning_rate "
            f"(it was {learning_rate})"
        )


def record(folder: Path, result: TrainResult, logs: list[dict[str, Any]], details: dict[str, Any]) -> None:
    """Write log, model card and marker into `folder` and sync all its files to disk."""
    (folder / LOG).write_bytes(b"".join(orjson.dumps(entry) + b"\n" for entry in logs))
    versions = {name: version(name) for name in LIBRARIES}
    (folder / CARD).write_text(_card(result, details, versions), encoding="utf-8")
    marker = {"result": {**asdict(result), "path": None}, **details, "versions": versions}
    (folder / MARKER).write_bytes(orjson.dumps(marker, option=orjson.OPT_INDENT_2, default=str))
    for file in (file for file in folder.rglob("*") if file.is_file()):
        sync(file)


def _card(result: TrainResult, details: dict[str, Any], versions: dict[str, str]) -> str:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["json"] = lambda value: orjson.dumps(value, default=str).decode()
    return environment.get_template("card.md.jinja").render(result=result, versions=versions, **details)
