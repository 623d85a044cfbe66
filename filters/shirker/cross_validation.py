"""How the shirker model does on models and instructions that it has not seen, and the threshold for a precision."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.filters.shirker.answer_features import MEASURES
from skillmill.filters.shirker.model import lines, with_expected
from skillmill.filters.shirker.training import Rows, fit
from skillmill.filters.shirker.word_features import Floats

FOLDS = 3
LIKE_LENGTH = 0.2
"""Answers whose log lengths differ by less than this (a factor of 1.2) are of like length."""


@dataclass(frozen=True)
class Calibration:
    """All figures are of models that saw neither the writer nor the instruction; each is a mean over the trials.

    `auc` and `auc_like_length` are against good answers, by label ("gamed": families that training had; "gamed,
    family left out": families that it had not); `auc_by_group` is by the writer left out. `flagged` is the share of
    each label's rows at or above `threshold`: for good ones, wrongly. `precision` is that of the real rows.
    """

    auc: dict[str, float]
    auc_like_length: dict[str, float]
    auc_by_group: dict[str, float]
    threshold: float
    precision: float
    flagged: dict[str, float]


def cross_validate(rows: Rows, precision: float, folds: int = FOLDS, seed: int = 0) -> Calibration:
    """Leaves out one good writer, one low-effort writer, a part of the instructions and a part of the gamed families
    at a time, trains on the rest, and scores what was left out. Raises ConfigError for too few writers, SkillmillError
    where no threshold reaches `precision`."""
    part = np.random.default_rng(seed).integers(0, folds, rows.instruction.max() + 1)[rows.instruction]
    families = sorted(set(rows.group[rows.gamed].tolist()))
    length = rows.raw[:, MEASURES.index("log_words")]
    auc_by, like_by, groups_by = defaultdict(list), defaultdict(list), defaultdict(list)
    given: dict[int, list[float]] = defaultdict(list)
    for (good_writer, low_writer), fold in product(_writers(rows), range(folds)):
        held_families = families[fold::folds]
        held_out = np.isin(rows.group, [good_writer, low_writer, *held_families])
        model = fit(rows.take(~held_out & (part != fold)))
        tested = np.flatnonzero((part == fold) & (held_out | rows.gamed))
        scores = model.scores(with_expected(rows.raw[tested], lines(model.expected)))
        for row, score in zip(tested.tolist(), scores.tolist(), strict=True):
            given[row].append(score)
        group = rows.group[tested]
        good = group == good_writer
        for one in (low_writer, *families):
            low = group == one
            if not low.any() or not good.any():
                continue
            found = auc(scores[good], scores[low])
            near = auc_of_like_length(scores[good], scores[low], length[tested[good]], length[tested[low]])
            unseen_family = ", family left out" if one in held_families else ""
            label = str(rows.label[tested[low]][0]) + unseen_family
            auc_by[label].append(found)
            like_by[label].append(near)
            groups_by[one + unseen_family].append(found)
            if one == low_writer:
                groups_by[good_writer].append(found)
    seen = np.array(sorted(given))
    scores = np.array([np.mean(given[row]) for row in seen.tolist()])
    low, real, label = rows.low[seen], ~rows.gamed[seen], rows.label[seen]
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


def _writers(rows: Rows) -> list[tuple[str, str]]:
    good = sorted(set(rows.group[rows.low == 0].tolist()))
    low = sorted(set(rows.group[(rows.low == 1) & ~rows.gamed].tolist()))
    if min(len(good), len(low)) < 2 or set(good) & set(low):
        raise ConfigError(
            "--group: expected at least two groups of good and two of other rows, and none of both: each is left out"
        )
    return list(product(good, low))


def _means(found: dict[str, list[float]]) -> dict[str, float]:
    known = {name: [value for value in values if value == value] for name, values in found.items()}
    return {name: float(np.mean(values)) for name, values in known.items() if values}


def auc(good: Floats, low: Floats) -> float:
    """The chance that a low-effort answer scores above a good one (ROC AUC)."""
    ordered = np.sort(good)
    below = np.searchsorted(ordered, low, "left") + np.searchsorted(ordered, low, "right")
    return float(below.mean() / 2 / len(good))


def auc_of_like_length(good: Floats, low: Floats, good_length: Floats, low_length: Floats) -> float:
    """The same over the pairs of like length alone, NaN where there is none; lengths are log(1 + words)."""
    near = np.abs(good_length[:, None] - low_length[None, :]) < LIKE_LENGTH
    above = (low[None, :] > good[:, None]) + 0.5 * (low[None, :] == good[:, None])
    return float(above[near].mean()) if near.any() else float("nan")


def threshold_for(scores: Floats, low: NDArray[np.int64], precision: float) -> float:
    """The lowest score from which on the share of low effort is `precision`; SkillmillError where none reaches it."""
    order = np.argsort(-scores, kind="stable")
    reached = np.cumsum(low[order]) / np.arange(1, len(order) + 1)
    last_of_its_score = np.append(np.diff(scores[order]) != 0, True)
    enough = np.flatnonzero((reached >= precision) & last_of_its_score)
    if not len(enough):
        raise SkillmillError(f"--precision {precision}: no threshold reaches it on these rows")
    return float(scores[order][enough[-1]])
