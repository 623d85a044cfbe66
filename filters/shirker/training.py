"""Training of the shirker model on labelled rows.

Only training needs scikit-learn; scoring is numpy over plain numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skillmill.data.errors import ConfigError
from skillmill.data.text.tokens import Numbers
from skillmill.filters.shirker.additive_model import AdditiveModel, Curve
from skillmill.filters.shirker.adversarial import adversarial_answers
from skillmill.filters.shirker.features.all_features import (
    EXPECTED_FEATURES,
    FEATURES,
    Expectation,
    as_arrays,
    raw_features,
    with_expectations,
)
from skillmill.filters.shirker.features.answer import ANSWER_FEATURES
from skillmill.filters.shirker.features.word_arrays import Floats
from skillmill.filters.shirker.model import ShirkerModel

KNOTS = (0.25, 0.5, 0.75)
"""The quantiles of a feature at which the slope of its curve can change."""
ENDS = (0.005, 0.995)
"""The quantiles outside of which a curve is constant, so that one extreme feature cannot decide the score."""
EFFORT_STRENGTH, ADVERSARIAL_STRENGTH, RIDGE = 0.002, 0.02, 100.0
"""scikit-learn's C of the two additive models, and the penalty of the expectations. They were chosen by
cross-validation over writers and instructions."""
MIN_SPREAD = 1e-6
MIN_LOG_WORDS = 2.5
"""In the training of the expected length, answers below a dozen words count as a dozen words: very short answers such
as "Test" say nothing about the usual length."""
ADVERSARIAL_WEIGHT = 0.13
"""The weight of all adversarial answers together relative to all real ones: the ratio that is assumed in use."""
MIN_ROWS = 50
"""The smallest number of rows of either kind that a model is trained on."""
ADVERSARIAL_LABEL = "gamed"
"""The label of adversarial answers in reports and in the `card` of stored models, kept from the file format."""


@dataclass(frozen=True)
class LabelledRows:
    """Labelled answers for training.

    Attributes:
        raw: float64 (rows, raw features); the columns of `raw_features`.
        low: int64 (rows,); 1 for low effort, 0 for good.
        label: str (rows,); the label as given, `ADVERSARIAL_LABEL` for adversarial answers.
        group: str (rows,); the writer of the answer, "gamed: FAMILY" for adversarial answers.
        instruction: int64 (rows,); a number for each distinct instruction.
    """

    raw: Floats
    low: NDArray[np.int64]
    label: NDArray[np.str_]
    group: NDArray[np.str_]
    instruction: NDArray[np.int64]

    def take(self, which: NDArray[np.bool_] | Numbers) -> "LabelledRows":
        """Return the rows that a mask or an array of indices selects."""
        return LabelledRows(
            self.raw[which], self.low[which], self.label[which], self.group[which], self.instruction[which]
        )

    @property
    def adversarial(self) -> NDArray[np.bool_]:
        """Whether each row is an adversarial answer, bool (rows,)."""
        is_adversarial: NDArray[np.bool_] = self.label == ADVERSARIAL_LABEL
        return is_adversarial


def labelled_rows(
    instructions: Sequence[str], responses: Sequence[str], labels: Sequence[str], groups: Sequence[str], good: str
) -> LabelledRows:
    """Return the rows with their features, and adversarial answers made from the rows with the label `good`.

    Raises `ConfigError` if fewer than `MIN_ROWS` rows have the label `good`, or fewer have another label.
    """
    low = np.array([label != good for label in labels], dtype=np.int64)
    if not MIN_ROWS <= low.sum() <= len(low) - MIN_ROWS:
        raise ConfigError(f"--label: expected at least {MIN_ROWS} rows labelled {good!r} and {MIN_ROWS} others")
    is_good = np.flatnonzero(low == 0).tolist()
    added = adversarial_answers([instructions[i] for i in is_good], [responses[i] for i in is_good])
    families, their_instructions, texts = map(list, zip(*added, strict=True))
    every = [*instructions, *their_instructions]
    numbers = {text: n for n, text in enumerate(dict.fromkeys(every))}
    return LabelledRows(
        raw_features(every, [*responses, *texts]),
        np.concatenate([low, np.ones(len(added), dtype=np.int64)]),
        np.array([*labels, *[ADVERSARIAL_LABEL] * len(added)]),
        np.array([*groups, *(f"{ADVERSARIAL_LABEL}: {family}" for family in families)]),
        np.array([numbers[text] for text in every]),
    )


def fit(rows: LabelledRows) -> ShirkerModel:
    """Return the model trained on all rows, with a threshold of 0.5 and an empty card.

    The additive model `effort` separates low effort from good among the real rows; both classes have equal weight. The
    additive model `adversarial` separates adversarial from real answers; the adversarial class has
    `ADVERSARIAL_WEIGHT` times the weight of the real one.
    """
    expected = _expectations(rows)
    features = with_expectations(rows.raw, as_arrays(expected))
    real = ~rows.adversarial
    effort = _fit_additive(features[real], rows.low[real], 1.0, EFFORT_STRENGTH)
    adversarial = _fit_additive(features, rows.adversarial.astype(np.int64), ADVERSARIAL_WEIGHT, ADVERSARIAL_STRENGTH)
    return ShirkerModel({}, 0.5, expected, effort, adversarial)


def _fit_additive(features: Floats, low: NDArray[np.int64], low_weight: float, strength: float) -> AdditiveModel:
    """Return the additive model that separates `low` = 1 from 0, by logistic regression on a basis of hinges.

    The basis, (rows, (knots + 1) * features), has for each feature its clipped value and its excess over each knot.
    """
    from sklearn.linear_model import LogisticRegression  # takes a second to import

    weight = np.where(low == 1, low_weight / low.sum(), 1 / (low == 0).sum()) * len(low) / (1 + low_weight)
    bottom, top = np.quantile(features, ENDS, axis=0)
    knots = np.quantile(features, KNOTS, axis=0)
    clipped = np.clip(features, bottom, top)
    basis = np.hstack([clipped - bottom, *(np.maximum(clipped - knot, 0) for knot in knots)])
    mean = np.average(basis, axis=0, weights=weight)
    scale = np.sqrt(np.average((basis - mean) ** 2, axis=0, weights=weight))
    used = scale > MIN_SPREAD
    scaled = (basis[:, used] - mean[used]) / scale[used]
    classifier = LogisticRegression(C=strength, max_iter=1000).fit(scaled, low, sample_weight=weight)
    slopes = np.zeros(basis.shape[1])
    slopes[used] = classifier.coef_[0] / scale[used]
    by_feature = slopes.reshape(len(KNOTS) + 1, -1)
    means = (slopes * mean).reshape(len(KNOTS) + 1, -1).sum(axis=0)
    curves = {
        name: Curve(
            low=_rounded(bottom[i]),
            high=_rounded(top[i]),
            knots=_all_rounded(knots[:, i]),
            slopes=_all_rounded(by_feature[:, i]),
            mean=_rounded(means[i]),
        )
        for i, name in enumerate(FEATURES)
        if by_feature[:, i].any()
    }
    return AdditiveModel(_rounded(classifier.intercept_[0]), curves)


def _expectations(rows: LabelledRows) -> dict[str, Expectation]:
    """Return the expectations of `EXPECTED_FEATURES`: ridge regressions over good answers on instruction features."""
    from sklearn.linear_model import Ridge

    good = rows.low == 0
    of_instruction = rows.raw[good, len(ANSWER_FEATURES) :]
    mean, scale = of_instruction.mean(axis=0), of_instruction.std(axis=0)
    scale = np.where(scale > MIN_SPREAD, scale, np.inf)
    expectations = {}
    for name in EXPECTED_FEATURES:
        values = rows.raw[good, ANSWER_FEATURES.index(name)]
        targets = np.maximum(values, MIN_LOG_WORDS) if name == "log_words" else values
        ridge = Ridge(RIDGE).fit((of_instruction - mean) / scale, targets)
        weights = ridge.coef_ / scale
        expectations[name] = Expectation(_rounded(ridge.intercept_ - weights @ mean), _all_rounded(weights))
    return expectations


def _all_rounded(values: Floats) -> list[float]:
    return [_rounded(value) for value in values]


def _rounded(value: float) -> float:
    """Return the value with six significant digits, so that a model and its file hold the same numbers."""
    return float(f"{value:.6g}")
