"""Training of the shirker model on labelled rows.

Only training needs LightGBM and scikit-learn; scoring is numpy over plain numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillmill.data.errors import ConfigError
from skillmill.data.text.tokens import Numbers
from skillmill.filters.shirker.adversarial import FAMILIES, adversarial_answers
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
from skillmill.filters.shirker.tree_model import Tree, TreeModel

TREES = 120
TREE_SETTINGS = {
    "objective": "binary",
    "num_leaves": 8,
    "learning_rate": 0.08,
    "lambda_l2": 5.0,
    "feature_fraction_bynode": 0.3,
    "max_bin": 63,
    "seed": 0,
    "deterministic": True,
    "num_threads": 1,
    "force_col_wise": True,
    "verbose": -1,
}
"""The settings of LightGBM. Larger trees and more of them were no better on writers, instructions and sources left
out."""
EFFORT_DIRECTIONS = {
    **dict.fromkeys(("log_words", "log_words_gap", "log_new_words", "log_new_words_gap", "coverage_gap"), -1),
    **dict.fromkeys(
        (
            "unknown_words log_stray_marks half_word stops_midway missing_items declines log_blanks repeated_sentences"
        ).split(),
        1,
    ),
}
"""The features whose growth can only lower (-1) or raise (1) the probability of low effort."""
FEWEST_IN_LEAF = 60
"""The least number of training rows in a leaf; fewer for small files."""
RIDGE = 100.0
"""The penalty of the expectations."""
LABEL_WEIGHTS = {"brevity": 4.0}
"""Labels whose rows count more than others: there are few writers of brief answers."""
MIN_SPREAD = 1e-6
MIN_LOG_WORDS = 2.5
"""In the training of the expected length, answers below a dozen words count as a dozen words: very short answers such
as "Test" say nothing about the usual length."""
ADVERSARIAL_WEIGHT = 1.0
"""The weight of all adversarial answers together relative to all real ones: the ratio that is assumed in use."""
ADVERSARIAL_SHARE, MOST_SMALL = 0.25, 5000
"""The share of good answers that each family is made from, and the number of adversarial rows that is not too large
for a small file."""
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
        source: str (rows,); where the instruction comes from.
    """

    raw: Floats
    low: NDArray[np.int64]
    label: NDArray[np.str_]
    group: NDArray[np.str_]
    instruction: NDArray[np.int64]
    source: NDArray[np.str_]

    def take(self, which: NDArray[np.bool_] | Numbers) -> "LabelledRows":
        """Return the rows that a mask or an array of indices selects."""
        return LabelledRows(
            self.raw[which],
            self.low[which],
            self.label[which],
            self.group[which],
            self.instruction[which],
            self.source[which],
        )

    @property
    def adversarial(self) -> NDArray[np.bool_]:
        """Whether each row is an adversarial answer, bool (rows,)."""
        is_adversarial: NDArray[np.bool_] = self.label == ADVERSARIAL_LABEL
        return is_adversarial


def labelled_rows(
    instructions: Sequence[str],
    responses: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[str],
    good: str,
    sources: Sequence[str] | None = None,
) -> LabelledRows:
    """Return the rows with their features, and adversarial answers made from the rows with the label `good`.

    `sources` says where each instruction comes from; None: all from one. About `ADVERSARIAL_SHARE` of an answer of each
    family is made of a good answer, fewer if there would be more than half as many adversarial rows as
    real ones. Raises `ConfigError` if fewer than `MIN_ROWS` rows have the label `good`, or fewer have another label.
    """
    low = np.array([label != good for label in labels], dtype=np.int64)
    if not MIN_ROWS <= low.sum() <= len(low) - MIN_ROWS:
        raise ConfigError(f"--label: expected at least {MIN_ROWS} rows labelled {good!r} and {MIN_ROWS} others")
    sources = sources or [""] * len(labels)
    source_of = dict(zip(instructions, sources, strict=True))
    is_good = np.flatnonzero(low == 0).tolist()
    share = min(ADVERSARIAL_SHARE, max(len(low) / 2, MOST_SMALL) / len(is_good) / len(FAMILIES))
    added = adversarial_answers([instructions[i] for i in is_good], [responses[i] for i in is_good], share=share)
    families, their_instructions, texts = map(list, zip(*added, strict=True))
    every = [*instructions, *their_instructions]
    numbers = {text: n for n, text in enumerate(dict.fromkeys(every))}
    return LabelledRows(
        raw_features(every, [*responses, *texts]),
        np.concatenate([low, np.ones(len(added), dtype=np.int64)]),
        np.array([*labels, *[ADVERSARIAL_LABEL] * len(added)]),
        np.array([*groups, *(f"{ADVERSARIAL_LABEL}: {family}" for family in families)]),
        np.array([numbers[text] for text in every]),
        np.array([*sources, *(source_of[text] for text in their_instructions)]),
    )


def fit(rows: LabelledRows) -> ShirkerModel:
    """Return the model trained on all rows, with a threshold of 0.5 and an empty card.

    `effort` separates low effort from good among the real rows, see `_effort_weights`. `adversarial` separates
    adversarial from real answers; the adversarial class has `ADVERSARIAL_WEIGHT` times the weight of the real one.
    """
    expected = _expectations(rows)
    features = with_expectations(rows.raw, as_arrays(expected))
    real = ~rows.adversarial
    effort = fit_trees(features[real], rows.low[real], _effort_weights(rows)[real], EFFORT_DIRECTIONS)
    adversarial = rows.adversarial.astype(np.int64)
    share = ADVERSARIAL_WEIGHT * real.sum() / max(adversarial.sum(), 1)
    return ShirkerModel(
        {}, 0.5, expected, effort, fit_trees(features, adversarial, np.where(rows.adversarial, share, 1.0))
    )


def _effort_weights(rows: LabelledRows) -> Floats:
    """Return the weight of each row, float64 (rows,); adversarial rows have none.

    Good and other rows of a source have equal weight, and a source the square root of the weight of its rows, so that a
    large one does not decide alone.
    """
    weights = np.zeros(len(rows.low))
    for source in np.unique(rows.source):
        of_source = (rows.source == source) & ~rows.adversarial
        for low in (0, 1):
            these = of_source & (rows.low == low)
            if these.any():
                weights[these] = np.sqrt(of_source.sum()) / these.sum()
    for label, factor in LABEL_WEIGHTS.items():
        weights[rows.label == label] *= factor
    return weights


def fit_trees(
    features: Floats, low: NDArray[np.int64], weights: Floats, directions: dict[str, int] | None = None
) -> TreeModel:
    """Return the trees that separate `low` = 1 from 0.

    `directions` has the features whose growth can only lower (-1) or raise (1) the log-odds. Raises `ConfigError` if
    LightGBM is not installed.
    """
    try:
        import lightgbm  # takes a second to import
    except (ImportError, OSError) as error:  # OSError: the system has no libgomp
        raise ConfigError(f"filters calibrate needs LightGBM: pip install 'skillmill[calibrate]' ({error})") from None
    settings = {**TREE_SETTINGS, "min_data_in_leaf": min(FEWEST_IN_LEAF, max(len(low) // 20, 1))}
    if directions:
        settings["monotone_constraints"] = [directions.get(name, 0) for name in FEATURES]
    data = lightgbm.Dataset(features, low, weight=weights / weights.mean())
    stored = lightgbm.train(settings, data, TREES).dump_model()
    return TreeModel(0.0, [_tree(one["tree_structure"]) for one in stored["tree_info"]])


def _tree(root: dict[str, Any]) -> Tree:
    """Return a tree of LightGBM's `dump_model`. The first tree contains the constant term of the log-odds."""
    nodes, waiting = list[dict[str, Any]](), [root]
    children: dict[int, list[int]] = {}
    parents: list[int | None] = [None]
    while waiting:
        node, parent = waiting.pop(0), parents.pop(0)
        number = len(nodes)
        nodes.append(node)
        if parent is not None:
            children.setdefault(parent, []).append(number)
        if "split_feature" in node:
            waiting += [node["left_child"], node["right_child"]]
            parents += [number, number]
    inner = ["split_feature" in node for node in nodes]
    return Tree(
        features=[FEATURES[node["split_feature"]] if "split_feature" in node else "" for node in nodes],
        thresholds=[float(node["threshold"]) if is_inner else 0.0 for node, is_inner in zip(nodes, inner, strict=True)],
        left=[children[number][0] if is_inner else 0 for number, is_inner in enumerate(inner)],
        right=[children[number][1] if is_inner else 0 for number, is_inner in enumerate(inner)],
        values=[
            _rounded(node["internal_value"] if is_inner else node["leaf_value"])
            for node, is_inner in zip(nodes, inner, strict=True)
        ],
    )


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
