"""Training of the shirker model on labelled rows.

scikit-learn is needed here alone: scoring is numpy over plain numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillmill.data.errors import ConfigError
from skillmill.filters.shirker.adversarial import gamed_answers
from skillmill.filters.shirker.answer_features import MEASURES
from skillmill.filters.shirker.model import (
    EXPECTED,
    SIGNALS,
    Curve,
    Line,
    Part,
    ShirkerModel,
    lines,
    raw_signals,
    with_expected,
)
from skillmill.filters.shirker.word_features import Floats

KNOTS = (0.25, 0.5, 0.75)
"""Quantiles at which a curve may bend."""
ENDS = (0.005, 0.995)
"""Quantiles outside which a curve is flat, so that no odd text runs away with the score."""
EFFORT_STRENGTH, GAMED_STRENGTH, RIDGE = 0.002, 0.02, 100.0
"""scikit-learn's C of the two parts and the penalty of the expectations, chosen on models and instructions left out."""
LEAST_SPREAD = 1e-6
LEAST_LOG_WORDS = 2.5
"""Answers below a dozen words count as a dozen when the usual length is learned: one "Test" tells nothing."""
GAMED_WEIGHT = 0.13
"""The weight of all gamed answers together, where all real ones weigh 1: how often they are taken to come."""


GAMED = "gamed"
"""The label of made-up answers."""


@dataclass(frozen=True)
class Rows:
    """Labelled answers, one place each in all arrays. `low` is 1 for low effort, 0 for good. `group` is whoever wrote
    the answer, `instruction` a number for the instruction; `label` the label as given, "gamed" for made-up ones."""

    raw: Floats
    low: NDArray[np.int64]
    label: NDArray[np.str_]
    group: NDArray[np.str_]
    instruction: NDArray[np.int64]

    def take(self, which: NDArray[Any]) -> "Rows":
        return Rows(self.raw[which], self.low[which], self.label[which], self.group[which], self.instruction[which])

    @property
    def gamed(self) -> NDArray[np.bool_]:
        return self.label == GAMED


def rows_of(
    instructions: Sequence[str], responses: Sequence[str], labels: Sequence[str], groups: Sequence[str], good: str
) -> Rows:
    """The rows with their signals, gamed answers added; ConfigError where there is nothing to tell apart."""
    low = np.array([label != good for label in labels], dtype=np.int64)
    if not 50 <= low.sum() <= len(low) - 50:
        raise ConfigError(f"--label: expected at least 50 rows labelled {good!r} and 50 others")
    is_good = np.flatnonzero(low == 0).tolist()
    made = gamed_answers([instructions[i] for i in is_good], [responses[i] for i in is_good])
    families, asked_again, gamed = map(list, zip(*made, strict=True))
    every = [*instructions, *asked_again]
    numbers = {text: n for n, text in enumerate(dict.fromkeys(every))}
    return Rows(
        raw_signals(every, [*responses, *gamed]),
        np.concatenate([low, np.ones(len(made), dtype=np.int64)]),
        np.array([*labels, *[GAMED] * len(made)]),
        np.array([*groups, *(f"gamed: {family}" for family in families)]),
        np.array([numbers[text] for text in every]),
    )


def fit(rows: Rows) -> ShirkerModel:
    """The model over all rows, with a threshold of 0.5 and an empty card.

    Its part `effort` learns good against low effort on the real rows, both weighing the same; its part `gamed` learns
    gamed against real, the former weighing `GAMED_WEIGHT` as much.
    """
    expected = _expected(rows)
    signals = with_expected(rows.raw, lines(expected))
    real, gamed = ~rows.gamed, rows.gamed
    effort = _fit_part(signals[real], rows.low[real], 1.0, EFFORT_STRENGTH)
    return ShirkerModel({}, 0.5, expected, effort, _fit_part(signals, gamed.astype(int), GAMED_WEIGHT, GAMED_STRENGTH))


def _fit_part(signals: Floats, low: NDArray[np.int64], low_weight: float, strength: float) -> Part:
    from sklearn.linear_model import LogisticRegression  # takes a second to import

    weight = np.where(low == 1, low_weight / low.sum(), 1 / (low == 0).sum()) * len(low) / (1 + low_weight)
    bottom, top = np.quantile(signals, ENDS, axis=0)
    knots = np.quantile(signals, KNOTS, axis=0)
    clipped = np.clip(signals, bottom, top)
    basis = np.hstack([clipped - bottom, *(np.maximum(clipped - knot, 0) for knot in knots)])
    mean = np.average(basis, axis=0, weights=weight)
    scale = np.sqrt(np.average((basis - mean) ** 2, axis=0, weights=weight))
    used = scale > LEAST_SPREAD
    scaled = (basis[:, used] - mean[used]) / scale[used]
    classifier = LogisticRegression(C=strength, max_iter=1000).fit(scaled, low, sample_weight=weight)
    slopes = np.zeros(basis.shape[1])
    slopes[used] = classifier.coef_[0] / scale[used]
    by_signal = slopes.reshape(len(KNOTS) + 1, -1)
    means = (slopes * mean).reshape(len(KNOTS) + 1, -1).sum(axis=0)
    curves = {
        name: Curve(*map(_short, (bottom[i], top[i], knots[:, i], by_signal[:, i], means[i])))
        for i, name in enumerate(SIGNALS)
        if by_signal[:, i].any()
    }
    return Part(_short(classifier.intercept_[0]), curves)


def _expected(rows: Rows) -> dict[str, Line]:
    """What good answers have of each of `EXPECTED`, by ridge regression on the instruction's profile."""
    from sklearn.linear_model import Ridge

    good = rows.low == 0
    profile = rows.raw[good, len(MEASURES) :]
    mean, scale = profile.mean(axis=0), profile.std(axis=0)
    scale = np.where(scale > LEAST_SPREAD, scale, np.inf)
    found_lines = {}
    for name in EXPECTED:
        found = rows.raw[good, MEASURES.index(name)]
        wanted = np.maximum(found, LEAST_LOG_WORDS) if name == "log_words" else found
        fitted = Ridge(RIDGE).fit((profile - mean) / scale, wanted)
        weights = fitted.coef_ / scale
        found_lines[name] = Line(_short(fitted.intercept_ - weights @ mean), _short(weights))
    return found_lines


def _short(value: Any) -> Any:
    """Six significant digits, as plain Python numbers: what the file holds is what was measured."""
    if np.ndim(value):
        return [_short(one) for one in value]
    return float(f"{value:.6g}")
