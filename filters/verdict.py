"""What a filter says about one sample."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.skill_taxonomy.cells import Cell


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reasons` reject the sample; `signals` are the numbers behind them, given whether or not it is rejected."""

    reasons: tuple[Reason, ...] = ()
    signals: dict[str, float] = field(default_factory=dict)


Filter = Callable[[Sample, Cell, Any], Verdict]
"""`(sample, cell, options) -> Verdict`, where `options` is the filter's own section of the configuration."""


def verdict(reason: Reason, rejected: bool, **signals: float) -> Verdict:
    """The verdict of a filter that knows one reason."""
    return Verdict((reason,) if rejected else (), signals)
