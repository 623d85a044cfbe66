"""Additive models with piecewise-linear curves: the log-odds are the sum of one curve for each feature."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from skillmill.data.text.tokens import Numbers
from skillmill.filters.shirker.features.all_features import FEATURES
from skillmill.filters.shirker.features.word_arrays import Floats


@dataclass(frozen=True, slots=True)
class Curve:
    """A piecewise-linear function of one feature, constant outside of `low`..`high` and 0 at `low`.

    Attributes:
        low: the lowest value of the feature at which the curve is not constant.
        high: the highest such value.
        knots: the values between at which the slope changes.
        slopes: the slope from `low` on, then the change of the slope at each knot.
        mean: the mean of the curve over the training rows.
    """

    low: float
    high: float
    knots: list[float]
    slopes: list[float]
    mean: float


class _CurveArrays(NamedTuple):
    """The curves of a model as arrays, in the order of `AdditiveModel.curves`.

    Attributes:
        columns: intp (curves,); the index of each curve's feature in `FEATURES`.
        low: float64 (curves,).
        high: float64 (curves,).
        bends: float64 (knots + 1, curves); the value from which each slope applies: `low`, then the knots.
        slopes: float64 (knots + 1, curves).
        mean: float64 (curves,).
    """

    columns: Numbers
    low: Floats
    high: Floats
    bends: Floats
    slopes: Floats
    mean: Floats


@dataclass(frozen=True)
class AdditiveModel:
    """An additive model over `FEATURES`: its log-odds are `intercept` plus the sum of `curves`, each minus its mean."""

    intercept: float
    curves: dict[str, Curve]

    @cached_property
    def _arrays(self) -> _CurveArrays:
        curves = list(self.curves.values())
        low, high, mean = (np.array([getattr(curve, name) for curve in curves]) for name in ("low", "high", "mean"))
        return _CurveArrays(
            columns=np.array([FEATURES.index(name) for name in self.curves], np.intp),
            low=low,
            high=high,
            bends=np.array([[curve.low, *curve.knots] for curve in curves]).T,
            slopes=np.array([curve.slopes for curve in curves]).T,
            mean=mean,
        )

    def _beyond_bends(self, features: Floats) -> Iterator[tuple[Floats, Floats]]:
        """Yield for each bend how far each feature exceeds it, (rows, curves), and the slopes from there, (curves,)."""
        arrays = self._arrays
        clipped = np.minimum(np.maximum(features.take(arrays.columns, axis=1), arrays.low), arrays.high)
        return (
            (np.maximum(clipped - bend, 0.0), slope) for bend, slope in zip(arrays.bends, arrays.slopes, strict=True)
        )

    def contributions(self, features: Floats) -> Floats:
        """Return each curve's contribution to the log-odds, relative to its mean, float64 (rows, curves)."""
        contributions: Floats = np.tile(-self._arrays.mean, (len(features), 1))
        for beyond, slope in self._beyond_bends(features):
            contributions += slope * beyond
        return contributions

    def probability(self, features: Floats) -> Floats:
        """Return the probability of each row of `FEATURES`, 0..1, float64 (rows,)."""
        log_odds = np.full(len(features), self.intercept - self._arrays.mean.sum())
        for beyond, slope in self._beyond_bends(features):
            log_odds += beyond @ slope
        probability: Floats = 1 / (1 + np.exp(-np.maximum(np.minimum(log_odds, 30), -30)))
        return probability
