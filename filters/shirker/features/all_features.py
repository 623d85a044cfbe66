"""All features of the shirker model: of the answer, of the instruction, and of the answer relative to expectations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skillmill.filters.shirker.features.answer import ANSWER_FEATURES, answer_features
from skillmill.filters.shirker.features.instruction import INSTRUCTION_FEATURES, instruction_features
from skillmill.filters.shirker.features.word_arrays import Floats

EXPECTED_FEATURES = (
    "log_words",
    "log_new_words",
    "coverage",
    "rarity_coverage",
    "log_shared_rarity",
    "meaning",
    "subject_met",
    "words_on_subject",
)
"""Answer features that are also compared with their expected value in good answers to such an instruction."""
_EXPECTED_COLUMNS = np.array([ANSWER_FEATURES.index(name) for name in EXPECTED_FEATURES])
FEATURES = (
    *ANSWER_FEATURES,
    *INSTRUCTION_FEATURES,
    *(f"expected_{name}" for name in EXPECTED_FEATURES),
    *(f"{name}_gap" for name in EXPECTED_FEATURES),
)
"""The names of the columns of `with_expectations`, in order; curves of a stored model are found by these names.

"expected_x" is the expected value of the feature x, and "x_gap" the value of the answer minus the expected one.
"""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The expected value of one feature, as a linear function of the instruction's features.

    Attributes:
        intercept: the constant term.
        weights: one number for each of `INSTRUCTION_FEATURES`.
    """

    intercept: float
    weights: list[float]


Expectations = tuple[Floats, Floats]
"""The expectations of all `EXPECTED_FEATURES` as arrays: intercepts (expected,), and weights (instruction features,
expected)."""


def raw_features(instructions: Sequence[str], responses: Sequence[str]) -> Floats:
    """Return the features that need no model, float64 (answers, answer features + instruction features)."""
    # All instructions first: their data stays in the CPU's cache while the answers are read.
    of_instructions = list(map(instruction_features, instructions))
    values = np.array([each.values for each in of_instructions]).reshape(-1, len(INSTRUCTION_FEATURES))
    return np.hstack([answer_features(of_instructions, responses), values])


def as_arrays(expectations: dict[str, Expectation]) -> Expectations:
    """Return the expectations of `EXPECTED_FEATURES`, in their order, as arrays."""
    ordered = [expectations[name] for name in EXPECTED_FEATURES]
    return np.array([each.intercept for each in ordered]), np.array([each.weights for each in ordered]).T


def with_expectations(raw: Floats, expectations: Expectations) -> Floats:
    """Return the columns of `FEATURES`: those of `raw_features`, the expected values, and the gaps to them."""
    intercepts, weights = expectations
    expected = intercepts + raw[:, len(ANSWER_FEATURES) :] @ weights
    return np.hstack([raw, expected, raw.take(_EXPECTED_COLUMNS, axis=1) - expected])
