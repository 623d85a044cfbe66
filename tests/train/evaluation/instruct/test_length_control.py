"""The length-controlled win rate on verdicts whose causes are known."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skillmill.train.evaluation.instruct.length_control import (
    RIDGE,
    LengthControlled,
    length_controlled,
    logistic_coefficients,
)
from skillmill.train.evaluation.skill_mix_metrics import Bootstrap, Numbers

N = 4000
BOOTSTRAP = Bootstrap(draws=100)
RNG = np.random.default_rng(7)
REFERENCE = RNG.integers(200, 1200, N).astype(float)
LONGER = REFERENCE + RNG.normal(400, 300, N)
"""The lengths of a student that writes more than the reference."""
EASINESS = RNG.choice([0.0, 0.5, 1.0], N)


def logistic(values: Numbers) -> Numbers:
    result: Numbers = 1 / (1 + np.exp(-values))
    return result


def verdicts(quality: float, of_length: float, of_ease: float = 0.0) -> Numbers:
    """The verdicts of a grader with a given love of length, on a student of a given quality."""
    difference = LONGER - REFERENCE
    log_odds = quality + of_length * np.tanh(difference / difference.std(ddof=1)) + of_ease * (EASINESS - 0.5)
    return (np.random.default_rng(1).random(N) < logistic(log_odds)).astype(float)


def controlled(scores: Numbers, easiness: Numbers | None = None) -> LengthControlled:
    return length_controlled(scores, LONGER, REFERENCE, easiness, BOOTSTRAP)


@pytest.mark.parametrize("quality", [-1.0, 0.0, 0.8])
@pytest.mark.parametrize("of_length", [1.5, -1.5])
def test_a_bias_for_length_is_removed(quality: float, of_length: float) -> None:
    scores, fair = verdicts(quality, of_length), logistic(np.array(quality))
    found = controlled(scores)
    assert abs(scores.mean() - fair) > 0.1
    assert found.value == pytest.approx(float(fair), abs=0.04)
    assert found.length == pytest.approx(of_length, abs=0.2)


def test_without_a_bias_the_win_rate_stays() -> None:
    scores = verdicts(0.6, 0.0)
    assert controlled(scores).value == pytest.approx(scores.mean(), abs=0.02)


def test_with_equal_lengths_the_win_rate_stays_exactly() -> None:
    scores = np.array([1.0, 1.0, 0.5, 0.0, 0.25])
    found = length_controlled(scores, np.full(5, 80.0), np.full(5, 80.0), None, BOOTSTRAP)
    assert found.value == pytest.approx(scores.mean(), abs=1e-6)


def test_the_rates_of_two_students_against_each_other_sum_to_one() -> None:
    scores = verdicts(0.3, 1.0)
    back = length_controlled(1 - scores, REFERENCE, LONGER, None, BOOTSTRAP)
    assert controlled(scores).value + back.value == pytest.approx(1, abs=1e-9)


def test_difficulty_is_a_term_of_its_own() -> None:
    scores = verdicts(0.4, 1.0, of_ease=3.0)
    found = controlled(scores, EASINESS)
    assert found.difficulty == pytest.approx(3.0, abs=0.4)
    assert found.value == pytest.approx(float(logistic(0.4 + 3 * (EASINESS - 0.5)).mean()), abs=0.04)
    assert controlled(scores).difficulty is None


def test_the_interval_covers() -> None:
    found = controlled(verdicts(0.0, 1.5))
    assert found.low is not None
    assert found.high is not None
    assert found.se is not None
    assert found.low < found.value < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * found.se, rel=0.3)


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_one_sided_verdicts_and_single_items(score: float) -> None:
    found = length_controlled(np.full(9, score), LONGER[:9], REFERENCE[:9], EASINESS[:9], BOOTSTRAP)
    assert found.value == pytest.approx(score, abs=0.01)
    single = length_controlled(np.array([score]), LONGER[:1], REFERENCE[:1], None, BOOTSTRAP)
    assert (single.se, single.low, single.high) == (None, None, None)
    assert single.value == pytest.approx(score, abs=0.01)


def test_the_regression_is_that_of_scikit_learn() -> None:
    columns = np.column_stack([np.ones(300), RNG.normal(size=(300, 2))])
    scores = RNG.choice([0.0, 0.25, 0.5, 1.0], 300)
    weights = np.vstack([np.ones(300), RNG.multinomial(300, np.full(300, 1 / 300), size=2)])
    for found, weight in zip(logistic_coefficients(columns, scores, weights), weights, strict=True):
        model = LogisticRegression(C=1 / RIDGE, tol=1e-10, max_iter=1000)
        both = np.vstack([columns[:, 1:]] * 2)
        model.fit(both, [1] * 300 + [0] * 300, np.concatenate([weight * scores, weight * (1 - scores)]))
        assert found == pytest.approx([model.intercept_[0], *model.coef_[0]], abs=1e-4)
