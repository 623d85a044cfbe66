"""Cross-validation of the shirker model on writers and instructions left out, and the threshold for a precision."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.filters.shirker.features.all_features import as_arrays, with_expectations
from skillmill.filters.shirker.features.answer import ANSWER_FEATURES
from skillmill.filters.shirker.features.word_arrays import Floats
from skillmill.filters.shirker.training import LabelledRows, fit

FOLDS = 3
LIKE_LENGTH = 0.2
"""Two answers are of like length if their log lengths differ by less than this, a factor of 1.2."""


@dataclass(frozen=True)
class Calibration:
    """The figures of a cross-validation, as means over its trials.

    The model of each trial was trained without the writers and the instructions that it is tested on.

    Attributes:
        auc: the ROC AUC against good answers by label. "gamed" are adversarial answers of families that training had,
            "gamed, family left out" those of families that it did not have.
        auc_like_length: the same over pairs of answers of like length.
        auc_by_group: the ROC AUC by the writer that was left out.
        threshold: the lowest score from which the share of low effort among real rows is the requested precision.
        precision: the precision at the threshold, over real rows.
        flagged: the share of each label's rows with at least that score; for good rows these are errors.
    """

    auc: dict[str, float]
    auc_like_length: dict[str, float]
    auc_by_group: dict[str, float]
    threshold: float
    precision: float
    flagged: dict[str, float]


def cross_validate(rows: LabelledRows, precision: float, folds: int = FOLDS, seed: int = 0) -> Calibration:
    """Return the figures of models on rows that they were not trained on.

    Each trial leaves out one good writer, one low-effort writer, one fold of the instructions and one fold of the
    adversarial families, trains on the rest, and scores what was left out. Raises `ConfigError` if there are too few
    writers, and `SkillmillError` if no threshold reaches `precision`.
    """
    fold_of_row = np.random.default_rng(seed).integers(0, folds, rows.instruction.max() + 1)[rows.instruction]
    families = sorted(set(rows.group[rows.adversarial].tolist()))
    length = rows.raw[:, ANSWER_FEATURES.index("log_words")]
    auc_by, like_by, groups_by = defaultdict(list), defaultdict(list), defaultdict(list)
    scores_of_row: dict[int, list[float]] = defaultdict(list)
    for (good_writer, low_writer), fold in product(_writers(rows), range(folds)):
        held_families = families[fold::folds]
        held_out = np.isin(rows.group, [good_writer, low_writer, *held_families])
        model = fit(rows.take(~held_out & (fold_of_row != fold)))
        tested = np.flatnonzero((fold_of_row == fold) & (held_out | rows.adversarial))
        scores = model.scores(with_expectations(rows.raw[tested], as_arrays(model.expected)))
        for row, score in zip(tested.tolist(), scores.tolist(), strict=True):
            scores_of_row[row].append(score)
        group = rows.group[tested]
        good = group == good_writer
        for name in (low_writer, *families):
            low = group == name
            if not low.any() or not good.any():
                continue
            of_all = auc(scores[good], scores[low])
            of_like = auc_of_like_length(scores[good], scores[low], length[tested[good]], length[tested[low]])
            unseen_family = ", family left out" if name in held_families else ""
            label = str(rows.label[tested[low]][0]) + unseen_family
            auc_by[label].append(of_all)
            like_by[label].append(of_like)
            groups_by[name + unseen_family].append(of_all)
            if name == low_writer:
                groups_by[good_writer].append(of_all)
    seen = np.array(sorted(scores_of_row))
    scores = np.array([np.mean(scores_of_row[row]) for row in seen.tolist()])
    low, real, label = rows.low[seen], ~rows.adversarial[seen], rows.label[seen]
    threshold = threshold_for(scores[real], low[real], precision)
    flagged = scores >= threshold
    return Calibration(
        _means(auc_by),
        _means(like_by),
        _means(groups_by),
        threshold,
        float(low[real & flagged].mean()),
        {one: float(flagged[label == one].mean()) for one in dict.fromkeys(label.tolist())},
    )


def _writers(rows: LabelledRows) -> list[tuple[str, str]]:
    """Return all pairs of a good and a low-effort writer. Raises `ConfigError` if there are fewer than two of each."""
    good = sorted(set(rows.group[rows.low == 0].tolist()))
    low = sorted(set(rows.group[(rows.low == 1) & ~rows.adversarial].tolist()))
    if min(len(good), len(low)) < 2 or set(good) & set(low):
        raise ConfigError(
            "--group: expected at least two groups of good and two of other rows, and none of both: each is left out"
        )
    return list(product(good, low))


def _means(figures: dict[str, list[float]]) -> dict[str, float]:
    """Return the mean of each list without NaN; a list of NaN only has no mean."""
    known = {name: [value for value in values if value == value] for name, values in figures.items()}
    return {name: float(np.mean(values)) for name, values in known.items() if values}


def auc(good: Floats, low: Floats) -> float:
    """Return the ROC AUC: the probability that a low-effort answer has a higher score than a good one."""
    from sklearn.metrics import roc_auc_score  # takes a second to import

    is_low = np.repeat([0, 1], [len(good), len(low)])
    return float(roc_auc_score(is_low, np.concatenate([good, low])))


def auc_of_like_length(good: Floats, low: Floats, good_length: Floats, low_length: Floats) -> float:
    """Return the ROC AUC over pairs of answers of like length, NaN if there are none; lengths are log(1 + words)."""
    near = np.abs(good_length[:, None] - low_length[None, :]) < LIKE_LENGTH  # (good answers, low-effort answers)
    above = (low[None, :] > good[:, None]) + 0.5 * (low[None, :] == good[:, None])
    return float(above[near].mean()) if near.any() else float("nan")


def threshold_for(scores: Floats, low: NDArray[np.int64], precision: float) -> float:
    """Return the lowest score from which the share of low effort (`low` = 1) is at least `precision`.

    Raises `SkillmillError` if no score reaches it.
    """
    order = np.argsort(-scores, kind="stable")
    precisions = np.cumsum(low[order]) / np.arange(1, len(order) + 1)
    last_of_its_score = np.append(np.diff(scores[order]) != 0, True)
    enough = np.flatnonzero((precisions >= precision) & last_of_its_score)
    if not len(enough):
        raise SkillmillError(f"--precision {precision}: no threshold reaches it on these rows")
    return float(scores[order][enough[-1]])
