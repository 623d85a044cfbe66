"""Cross-validation of the shirker model without writers, instructions and sources, and the choice of its threshold."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.text.tokens import Numbers
from skillmill.filters.shirker.features.all_features import as_arrays, with_expectations
from skillmill.filters.shirker.features.answer import ANSWER_FEATURES
from skillmill.filters.shirker.features.word_arrays import Floats
from skillmill.filters.shirker.training import LabelledRows, fit

FOLDS = 3
MOST_GOOD_FLAGGED, MOST_OF_SOURCE_FLAGGED = 0.05, 0.10
"""The largest share of good answers at or above the threshold: of writers and instructions left out, and of a source
left out."""
MOST_COMPARED = 2000
"""The number of answers on each side from which the pairs of like length are made, at regular distances."""
FEWEST_FOR_THRESHOLD = 50
"""A trial with fewer good answers has no say in the threshold."""
LIKE_LENGTH = 0.2
"""Two answers are of like length if their log lengths differ by less than this, a factor of 1.2."""


@dataclass(frozen=True)
class Figures:
    """Figures about rows that the model was not trained on.

    Attributes:
        left_out: what was left out: "writers and instructions", or "source NAME".
        auc: the ROC AUC against good answers by label; "gamed" are adversarial answers.
        auc_like_length: the same over pairs of answers of like length.
        auc_of_length: the ROC AUC of the answer's length alone, the shorter the lower the effort.
        flagged: the share of each label's rows at or above the threshold; for good rows these are errors.
    """

    left_out: str
    auc: dict[str, float]
    auc_like_length: dict[str, float]
    auc_of_length: dict[str, float]
    flagged: dict[str, float]


@dataclass(frozen=True)
class Calibration:
    """The figures of a cross-validation, and the threshold that they give.

    Attributes:
        figures: those with writers and instructions left out, then those with each source left out.
        auc_by_group: the ROC AUC by the writer that was left out.
        threshold: the lowest score that fulfils `chosen_for`.
        chosen_for: what the threshold was chosen for, in words.
        precision: the precision at the threshold over real rows, with writers and instructions left out.
    """

    figures: list[Figures]
    auc_by_group: dict[str, float]
    threshold: float
    chosen_for: str
    precision: float


class _Scored(NamedTuple):
    """The scores of rows that a model was not trained on.

    Attributes:
        left_out: what was left out of its training.
        rows: intp (n,); the indices of the rows.
        scores: float64 (n,).
    """

    left_out: str
    rows: Numbers
    scores: Floats


def cross_validate(rows: LabelledRows, precision: float, folds: int = FOLDS, seed: int = 0) -> Calibration:
    """Return the figures of models on rows that they were not trained on.

    Each of the first `folds` trials leaves out at once a part of the writers, of the instructions and of the
    adversarial families, trains on the rest, and scores what was left out of all three. Each further trial leaves out a
    whole source with its writers and instructions. Raises `ConfigError` if there are too few writers, and
    `SkillmillError` if no threshold reaches `precision`.
    """
    fold_of_group = _folds_of_groups(rows, folds, seed)
    fold_of_row = np.random.default_rng(seed).integers(0, folds, rows.instruction.max() + 1)[rows.instruction]
    group_fold = np.array([fold_of_group[group] for group in rows.group.tolist()])
    trials = [
        _trial("writers and instructions", rows, (group_fold == fold) & (fold_of_row == fold), group_fold == fold)
        for fold in range(folds)
    ]
    sources = np.unique(rows.source)
    for source in sources.tolist() if len(sources) > 1 else []:
        tested = rows.source == source
        same_writer = np.isin(rows.group, np.unique(rows.group[tested & ~rows.adversarial]))
        family_out = rows.adversarial & (group_fold == 0)
        trials.append(
            _trial(
                f"source {source}", rows, tested & (family_out | ~rows.adversarial), tested | same_writer | family_out
            )
        )
    threshold = _threshold(rows, trials, precision)
    by_trial: dict[str, list[_Scored]] = defaultdict(list)
    for trial in trials:
        by_trial[trial.left_out].append(trial)
    first = _joined(by_trial["writers and instructions"])
    low, real = rows.low[first.rows], ~rows.adversarial[first.rows]
    return Calibration(
        [_figures(rows, of_kind, threshold) for of_kind in by_trial.values()],
        _auc_by_group(rows, by_trial["writers and instructions"]),
        threshold,
        f"precision {precision}; at most {MOST_GOOD_FLAGGED:.0%} of good answers by writers to instructions left out, "
        f"at most {MOST_OF_SOURCE_FLAGGED:.0%} of those of any source left out",
        float(low[real & (first.scores >= threshold)].mean()),
    )


def _trial(left_out: str, rows: LabelledRows, tested: NDArray[np.bool_], excluded: NDArray[np.bool_]) -> _Scored:
    """Return the scores of the rows of `tested` by a model trained without them, `excluded` and their instructions."""
    trained = ~tested & ~excluded & ~np.isin(rows.instruction, np.unique(rows.instruction[tested]))
    model = fit(rows.take(trained))
    at = np.flatnonzero(tested)
    return _Scored(left_out, at, model.scores(with_expectations(rows.raw[at], as_arrays(model.expected))))


def _folds_of_groups(rows: LabelledRows, folds: int, seed: int) -> dict[str, int]:
    """Return the fold of each writer and family: those of each label are dealt out in random order.

    Raises `ConfigError` if there are fewer than two good or two other writers, or if a writer is both.
    """
    good = set(rows.group[rows.low == 0].tolist())
    low = set(rows.group[(rows.low == 1) & ~rows.adversarial].tolist())
    if min(len(good), len(low)) < 2 or good & low:
        raise ConfigError(
            "--group: expected at least two groups of good and two of other rows, and none of both: each is left out"
        )
    generator, fold_of = np.random.default_rng(seed), dict[str, int]()
    for label in np.unique(rows.label):
        writers = sorted(set(rows.group[rows.label == label].tolist()) - set(fold_of))
        for place, writer in enumerate(generator.permutation(writers).tolist()):
            fold_of[writer] = place % min(folds, max(len(writers), 1))
    return fold_of


def _joined(trials: Sequence[_Scored]) -> _Scored:
    return _Scored(
        trials[0].left_out, np.concatenate([t.rows for t in trials]), np.concatenate([t.scores for t in trials])
    )


def _threshold(rows: LabelledRows, trials: Sequence[_Scored], precision: float) -> float:
    """Return the lowest score that holds the precision and flags few enough good answers."""
    inside = _joined([trial for trial in trials if trial.left_out == "writers and instructions"])
    real = ~rows.adversarial[inside.rows]
    least = 0.0
    for scored, most in [(inside, MOST_GOOD_FLAGGED), *((one, MOST_OF_SOURCE_FLAGGED) for one in trials)]:
        good = scored.scores[rows.low[scored.rows] == 0]
        if len(good) >= FEWEST_FOR_THRESHOLD:
            highest_unflagged = np.quantile(good, 1 - most, method="higher")
            least = max(least, float(np.nextafter(highest_unflagged, 1)))
    return threshold_for(inside.scores[real], rows.low[inside.rows][real], precision, least)


def _figures(rows: LabelledRows, trials: Sequence[_Scored], threshold: float) -> Figures:
    """Return the figures of trials of one kind: means over the trials, and shares of all their rows."""
    by_all, by_like, by_length = defaultdict(list), defaultdict(list), defaultdict(list)
    length = rows.raw[:, ANSWER_FEATURES.index("log_words")]
    for _, tested, scores in trials:
        label, good = rows.label[tested], rows.low[tested] == 0
        for name in np.unique(label[~good]).tolist():
            low = label == name
            lengths = length[tested]
            by_all[name].append(auc(scores[good], scores[low]))
            by_length[name].append(auc(-lengths[good], -lengths[low]))
            by_like[name].append(auc_of_like_length(scores[good], scores[low], lengths[good], lengths[low]))
    whole = _joined(trials)
    label, flagged = rows.label[whole.rows], whole.scores >= threshold
    return Figures(
        trials[0].left_out,
        _means(by_all),
        _means(by_like),
        _means(by_length),
        {name: float(flagged[label == name].mean()) for name in np.unique(label).tolist()},
    )


def _auc_by_group(rows: LabelledRows, trials: Sequence[_Scored]) -> dict[str, float]:
    """Return the ROC AUC of each writer's and family's answers against those of the other kind in the same trial."""
    by_group = defaultdict(list)
    for _, tested, scores in trials:
        group, low = rows.group[tested], rows.low[tested] == 1
        of_writers = low & ~rows.adversarial[tested]
        for name in np.unique(group).tolist():
            own = group == name
            if low[own][0] and (~low).any():
                by_group[name].append(auc(scores[~low], scores[own]))
            elif not low[own][0] and of_writers.any():
                by_group[name].append(auc(scores[own], scores[of_writers]))
    return _means(by_group)


def _means(figures: dict[str, list[float]]) -> dict[str, float]:
    """Return the mean of each list without NaN; a list of NaN only has no mean."""
    known = {name: [value for value in values if value == value] for name, values in figures.items()}
    return {name: float(np.mean(values)) for name, values in known.items() if values}


def auc(good: Floats, low: Floats) -> float:
    """Return the ROC AUC: the probability that a low-effort answer has a higher score than a good one; NaN without."""
    from sklearn.metrics import roc_auc_score  # takes a second to import

    if not len(good) or not len(low):
        return float("nan")
    is_low = np.repeat([0, 1], [len(good), len(low)])
    return float(roc_auc_score(is_low, np.concatenate([good, low])))


def auc_of_like_length(good: Floats, low: Floats, good_length: Floats, low_length: Floats) -> float:
    """Return the ROC AUC over pairs of answers of like length, NaN if there are none; lengths are log(1 + words)."""
    good, good_length, low, low_length = (
        values[:: len(values) // MOST_COMPARED + 1] for values in (good, good_length, low, low_length)
    )
    near = np.abs(good_length[:, None] - low_length[None, :]) < LIKE_LENGTH  # (good answers, low-effort answers)
    above = (low[None, :] > good[:, None]) + 0.5 * (low[None, :] == good[:, None])
    return float(above[near].mean()) if near.any() else float("nan")


def threshold_for(scores: Floats, low: NDArray[np.int64], precision: float, least: float = 0.0) -> float:
    """Return the lowest score, `least` or above, from which the share of low effort (`low` = 1) is `precision`.

    Raises `SkillmillError` if no score reaches it.
    """
    order = np.argsort(-scores, kind="stable")
    precisions = np.cumsum(low[order]) / np.arange(1, len(order) + 1)
    last_of_its_score = np.append(np.diff(scores[order]) != 0, True)
    enough = np.flatnonzero((precisions >= precision) & last_of_its_score & (scores[order] >= least))
    if not len(enough):
        raise SkillmillError(f"--precision {precision}: no threshold reaches it on these rows")
    return float(scores[order][enough[-1]])
