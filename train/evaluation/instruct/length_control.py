"""The length-controlled win rate of AlpacaEval 2 (arXiv 2404.04475, section 3): the win rate at equal lengths.

A logistic regression explains the verdicts by the quality of the student, by the difference in length and by the
difficulty of the instruction. The win rate is what it predicts if all differences in length are 0.
"""

from dataclasses import dataclass

import numpy as np

from skillmill.train.evaluation.skill_mix_metrics import CONFIDENCE, Bootstrap, Numbers

RIDGE = 0.01
"""The weight of half the squared coefficients of length and difficulty, beside the sum of the log losses.

The released code of AlpacaEval has the same default (C = 100 of scikit-learn).
"""
INTERCEPT_RIDGE = 1e-6
"""Keeps the regression finite if one side wins all comparisons."""
ITERATIONS = 50
LONGEST_STEP = 2.0


@dataclass(frozen=True)
class LengthControlled:
    """The length-controlled win rate, 0..1, with bootstrap error and interval, and the coefficients of the regression.

    `length`: above 0 if the grader prefers longer answers. `difficulty`: None if it was not known.
    """

    value: float
    se: float | None
    low: float | None
    high: float | None
    quality: float
    length: float
    difficulty: float | None


def length_controlled(
    scores: Numbers, lengths: Numbers, reference_lengths: Numbers, easiness: Numbers | None, bootstrap: Bootstrap
) -> LengthControlled:
    """Return the length-controlled win rate of a student.

    `scores` (items,) are the verdicts for the student, 0..1. `easiness` (items,) says how well another student did on
    each item, which stands for the difficulty of the instruction; it is centred here. AlpacaEval estimates it from all
    models of its leaderboard; the student's own verdicts would explain themselves. Standard error and interval come
    from regressions on resampled items, with the scale of the lengths kept; they are None for a single item.
    """
    n = len(scores)
    scale = float((lengths - reference_lengths).std(ddof=1)) if n > 1 else 0.0
    length = np.tanh((lengths - reference_lengths) / scale) if scale else np.zeros(n)
    difficulty = np.zeros(n) if easiness is None else easiness - easiness.mean()
    columns = np.column_stack([np.ones(n), length, difficulty])
    counts = np.random.default_rng(bootstrap.seed).multinomial(n, np.full(n, 1 / n), size=bootstrap.draws)
    weights = np.vstack([np.ones(n), counts])
    fitted = logistic_coefficients(columns, scores, weights)
    at_equal_length = columns * [1.0, 0.0, 1.0]
    predicted = _logistic(fitted @ at_equal_length.T)
    rates = (predicted * weights).sum(axis=1) / n
    low, high = np.quantile(rates[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    has_error = n > 1
    return LengthControlled(
        value=float(rates[0]),
        se=float(rates[1:].std(ddof=1)) if has_error else None,
        low=float(low) if has_error else None,
        high=float(high) if has_error else None,
        quality=float(fitted[0, 0]),
        length=float(fitted[0, 1]),
        difficulty=None if easiness is None else float(fitted[0, 2]),
    )


def logistic_coefficients(columns: Numbers, scores: Numbers, weights: Numbers) -> Numbers:
    """Return the coefficients of a ridge logistic regression for each row of weights, (regressions, columns).

    `columns` is (items, columns) with ones first, `scores` (items,) with targets in 0..1, `weights` (regressions,
    items). All regressions take Newton's steps together: a thousand take 0.2 s, one by one in scikit-learn 15 s.
    """
    ridge = np.full(columns.shape[1], RIDGE)
    ridge[0] = INTERCEPT_RIDGE
    coefficients = np.zeros((len(weights), columns.shape[1]))
    for _ in range(ITERATIONS):
        predicted = _logistic(coefficients @ columns.T)
        gradient = (weights * (scores - predicted)) @ columns - coefficients * ridge
        curvature = np.einsum("ri,ia,ib->rab", weights * predicted * (1 - predicted), columns, columns, optimize=True)
        step = np.linalg.solve(curvature + np.diag(ridge), gradient[..., None])[..., 0]
        step /= np.maximum(np.abs(step).max(axis=1, keepdims=True) / LONGEST_STEP, 1)
        coefficients += step
        if np.abs(step).max() < 1e-9:
            break
    return coefficients


def _logistic(values: Numbers) -> Numbers:
    result: Numbers = 1 / (1 + np.exp(-np.clip(values, -50, 50)))
    return result
