"""What a training leaves in its folder: weights, card, log, and the marker that says they are whole."""

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
LOG = "log.jsonl"
CARD = "README.md"
LIBRARIES = ("skillmill", "trl", "peft", "transformers", "torch", "datasets")


@dataclass(frozen=True)
class TrainResult:
    """One finished training. `losses` are the logged ones, in order; `reused` says it was done before."""

    stage: str
    path: Path
    fingerprint: str
    student: str
    adapter: bool
    rows: int
    steps: int
    losses: tuple[float, ...]
    reused: bool = False

    @property
    def first_loss(self) -> float:
        return self.losses[0]

    @property
    def final_loss(self) -> float:
        return self.losses[-1]


def finished(folder: Path) -> TrainResult | None:
    """The training that lies in `folder`, None where there is none. Raises `StoreError` on other content."""
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


def record(folder: Path, result: TrainResult, logs: list[dict[str, Any]], details: dict[str, Any]) -> None:
    """Write log, card and marker beside the weights in `folder`, the marker last, and sync them all.

    Raises `SkillmillError` when the loss diverged: such weights are not worth keeping.
    """
    if not result.losses or not all(map(math.isfinite, result.losses)):
        raise SkillmillError(
            f"train.{result.stage}: the loss is not finite; lower train.{result.stage}.args.learning_rate "
            f"(it was {details['args'].get('learning_rate')})"
        )
    (folder / LOG).write_bytes(b"".join(orjson.dumps(entry) + b"\n" for entry in logs))
    versions = {name: version(name) for name in LIBRARIES}
    (folder / CARD).write_text(_card(result, details, versions), encoding="utf-8")
    own = {**asdict(result), "path": None}
    marker = {"result": own, **details, "versions": versions}
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
