"""The plot of a training in the report: the losses of its steps, and what was measured on held-out rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skillmill.train.config import STAGES

WIDTH, HEIGHT = 600.0, 120.0
MARGIN = 5.0


@dataclass(frozen=True)
class LossPlot:
    """A plot of `WIDTH` by `HEIGHT`. `line`: the losses of the steps; `marks`: the measurements on held-out rows.

    `measured` are the (step, value) pairs of the marks, `measure` says of what. `axis`: the least and the greatest
    loss, at the lower and the upper edge. The measurements share it if they are losses, else they have their own axis.
    """

    method: str
    losses: tuple[float, ...]
    line: tuple[tuple[float, float], ...]
    measure: str
    measured: tuple[tuple[int, float], ...]
    marks: tuple[tuple[float, float], ...]
    axis: tuple[float, float]


def loss_plots(state: dict[str, Any]) -> list[LossPlot]:
    """Return a plot of each training in the content of `run.json`, in the order of the stages."""
    return [_plot(stage, facts) for stage in STAGES if (facts := state.get(f"train_{stage}")) and facts["losses"]]


def _plot(method: str, facts: dict[str, Any]) -> LossPlot:
    losses, steps = tuple(facts["losses"]), facts.get("steps") or len(facts["losses"])
    measured = tuple((step, value) for step, value in facts.get("held_out", ()))
    measure = facts.get("measure", "loss")
    values = [value for _, value in measured]
    axis = [*losses, *values] if measure == "loss" else losses
    heights = _heights(values, axis if measure == "loss" else values)
    return LossPlot(
        method=method,
        losses=losses,
        line=tuple(zip(_across(range(1, len(losses) + 1), len(losses)), _heights(losses, axis), strict=True)),
        measure=measure,
        measured=measured,
        marks=tuple(zip(_across([step for step, _ in measured], steps), heights, strict=True)),
        axis=(min(axis), max(axis)),
    )


def _across(places: Sequence[int], last: int) -> list[float]:
    return [round(MARGIN + (WIDTH - 2 * MARGIN) * place / (last or 1), 1) for place in places]


def _heights(values: Sequence[float], axis: Sequence[float]) -> list[float]:
    """Return how far below the upper edge each value lies, on an axis from the least to the greatest of `axis`."""
    if not axis:
        return []
    low, span = min(axis), (max(axis) - min(axis)) or 1.0
    return [round(HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - low) / span, 1) for value in values]
