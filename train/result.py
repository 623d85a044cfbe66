"""The result of a training: its record, and the files beside the weights (model card, log, marker `train.json`)."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from skillmill.data.errors import SkillmillError, StoreError
from skillmill.data.export.card.escaping import table_cell
from skillmill.data.files import sync

MARKER = "train.json"
"""The file that marks a complete training. It is written last and holds the `TrainResult`."""
LOG = "log.jsonl"
CARD = "README.md"
TITLES = {
    "sft": "Supervised fine-tuning",
    "dpo": "Direct preference optimisation",
    "kto": "Kahneman-Tversky optimisation",
    "grpo": "Group relative policy optimisation",
}
LIBRARIES = ("skillmill", "trl", "peft", "transformers", "torch", "datasets")


@dataclass(frozen=True)
class TrainResult:
    """One finished training. `losses` are the logged losses in order. `reused`: the result of an earlier call.

    `rows` were trained on. `cut` answers of them lost tokens to `max_length`, `left_out` further rows lost the whole
    answer; None in results of earlier versions, which did not count them. `held_out` are the (step, loss) pairs, of
    GRPO (step, reward), that were measured on `held_out_rows` fixed rows, which are `held_out_origin`; empty if nothing
    was measured. `best_step`: the step whose weights are kept if that is not the last. `tokens_per_s`: of the process
    that finished the training, without measurements.
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
    measure: str = "loss"
    held_out: tuple[tuple[int, float], ...] = ()
    held_out_rows: int = 0
    held_out_origin: str = ""
    best_step: int | None = None
    tokens_per_s: float | None = None
    reused: bool = False

    @property
    def first_loss(self) -> float:
        """The first logged loss."""
        return self.losses[0]

    @property
    def final_loss(self) -> float:
        """The last logged loss."""
        return self.losses[-1]

    @property
    def kept_measurement(self) -> tuple[int, float] | None:
        """The (step, value) of the kept weights on the held-out rows, None if it was not measured."""
        step = self.steps if self.best_step is None else self.best_step
        return next((pair for pair in reversed(self.held_out) if pair[0] == step), None)


def finished(folder: Path) -> TrainResult | None:
    """Return the training in `folder`, None if it is empty or missing. Raises `StoreError` if it has other content."""
    if not folder.exists():
        return None
    try:
        marker = orjson.loads((folder / MARKER).read_bytes())
        stored = marker["result"]
        held_out = tuple((step, value) for step, value in stored.get("held_out", ()))
        result = TrainResult(**{**stored, "path": folder, "losses": tuple(stored["losses"]), "held_out": held_out})
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


def record(
    folder: Path,
    result: TrainResult,
    logs: list[dict[str, Any]],
    details: dict[str, Any],
    facts: Sequence[tuple[str, str]] = (),
) -> None:
    """Write log, model card and marker into `folder` and sync all its files to disk.

    `facts`: further lines of the card's table, as (name, value).
    """
    (folder / LOG).write_bytes(b"".join(orjson.dumps(entry) + b"\n" for entry in logs))
    versions = {name: version(name) for name in LIBRARIES}
    (folder / CARD).write_text(_card(result, details, versions, facts), encoding="utf-8")
    marker = {"result": {**asdict(result), "path": None}, **details, "versions": versions}
    (folder / MARKER).write_bytes(orjson.dumps(marker, option=orjson.OPT_INDENT_2, default=str))
    for file in (file for file in folder.rglob("*") if file.is_file()):
        sync(file)


def _card(
    result: TrainResult, details: dict[str, Any], versions: dict[str, str], facts: Sequence[tuple[str, str]]
) -> str:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = table_cell
    environment.filters["json"] = lambda value: orjson.dumps(value, default=str).decode()
    return environment.get_template("card.md.jinja").render(
        result=result, title=TITLES[result.stage], versions=versions, facts=facts, **details
    )
