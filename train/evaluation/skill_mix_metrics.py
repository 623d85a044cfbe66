"""Skill-Mix metrics of graded texts: majority over gradings, best and mean over generations, mean over combinations.

The definitions are those of Skill-Mix (arXiv 2310.17567) and its released code, `aggregate_metrics.py`. A text of k
skills has k + 3 points: one per skill, then "on topic", "makes sense" and "within the sentence limit".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

OTHER_POINTS = 3
"""The number of points after those of the skills: on topic, makes sense, within the limit."""
METRICS = ["full_marks", "all_skills", "skill_fraction"]
"""The columns of `text_metrics`, which defines them."""
POINT = "point"
"""An additional metric of a skill or category: the share of its own points that the texts earned."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Gradings:
    """All gradings of texts with the same k, one per row. Codes are integers from 0 that stand for names.

    `points` is (rows, k + 3) with values in 0..1. `combination` and `generation` are (rows,) and identify the text.
    `skills` is (rows, k). `categories` is (rows, k) with one code per skill, or (rows, 1) with one per combination.
    """

    points: Numbers
    combination: Codes
    generation: Codes
    skills: Codes | None = None
    categories: Codes | None = None

    @property
    def k(self) -> int:
        """The number of skills."""
        return int(self.points.shape[1]) - OTHER_POINTS


@dataclass(frozen=True)
class Bootstrap:
    """Settings of the bootstrap: the number of resamples of the combinations, and the seed."""

    draws: int = 1000
    seed: int = 0


def majority_per_text(points: Numbers, text: Codes) -> Numbers:
    """Return the majority of the gradings of each text, (texts, criteria) of 0 or 1.

    `points` is (gradings, criteria), `text` is (gradings,) with the code of each grading's text. The majority is the
    rounded mean; one half rounds to 0.
    """
    sums = np.column_stack([np.bincount(text, weights=criterion) for criterion in points.T])
    return np.rint(sums / np.bincount(text)[:, None])


def text_metrics(points: Numbers) -> Numbers:
    """Return Full Marks, All Skills and Skill Fraction of each text, (texts, 3), from (texts, k + 3) points of 0 or 1.

    Full Marks is 1 if every point is earned. All Skills is 1 if every skill's point and at least two of the three other
    points are earned. Skill Fraction is the share of earned skill points if all three other points are earned, else 0.
    """
    skills, others = points[:, :-OTHER_POINTS], points[:, -OTHER_POINTS:].sum(axis=1)
    share = skills.mean(axis=1)
    all_skills = share == 1
    return np.column_stack([all_skills & (others == 3), all_skills & (others >= 2), np.where(others == 3, share, 0)])


def estimate(values: Numbers, bootstrap: Bootstrap) -> dict[str, float | None]:
    """Return the mean over combinations, its standard error std(ddof=1)/√n, and a 95 % percentile bootstrap interval.

    `values` is (combinations,). The keys are `value`, `se`, `low` and `high`; all but `value` are None for a single
    combination. A resample is drawn as the multinomial counts of the distinct values. There are few of them, so the
    time does not grow with the number of combinations.
    """
    n = len(values)
    if n < 2:
        return {"value": float(values.mean()), "se": None, "low": None, "high": None}
    levels, counts = np.unique(values, return_counts=True)
    drawn = np.random.default_rng(bootstrap.seed).multinomial(n, counts / n, size=bootstrap.draws)
    low, high = np.quantile(drawn @ levels / n, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {
        "value": float(values.mean()),
        "se": float(values.std(ddof=1) / np.sqrt(n)),
        "low": float(low),
        "high": float(high),
    }


def skill_mix_metrics(
    gradings: Sequence[Gradings],
    generations: Sequence[str],
    skills: Sequence[str] = (),
    categories: Sequence[str] = (),
    bootstrap: Bootstrap | None = None,
) -> dict[str, Any]:
    """Return all metrics as nested dictionaries: `overall`, `per_k`, and with names `per_category` and `per_skill`.

    `gradings` has one element per k and at least one grading. `generations`, `skills` and `categories` are the names of
    the codes. Combinations are distinguished by code and k.

    Every group has `combinations` (their number), `best` (the maximum over a combination's generations, for each metric
    separately) and `mean` (the mean over its generations), with an `estimate` per metric. `overall` and `per_k` also
    have `per_generation`.
    """
    bootstrap = bootstrap or Bootstrap()
    majorities = [_majority(of_k) for of_k in gradings]
    texts = pd.concat([of_k.texts for of_k in majorities], ignore_index=True)
    metrics: dict[str, Any] = {
        "overall": _over_generations(texts, generations, bootstrap),
        "per_k": {str(k): _over_generations(of_k, generations, bootstrap) for k, of_k in texts.groupby("k")},
    }
    if categories:
        labelled = pd.concat([_labelled(of_k, of_k.categories) for of_k in majorities], ignore_index=True)
        metrics["per_category"] = _per_label(labelled, categories, bootstrap)
    if skills:
        labelled = pd.concat([_labelled(of_k, of_k.skills) for of_k in majorities], ignore_index=True)
        metrics["per_skill"] = _per_label(labelled, skills, bootstrap)
    return metrics


@dataclass(frozen=True)
class _Majority:
    """The texts with the same k after the majority over their gradings.

    `texts` has a row per text with its metrics, k, combination and generation. `points` is (texts, k).
    """

    texts: pd.DataFrame
    points: Numbers
    skills: Codes | None
    categories: Codes | None


def _majority(gradings: Gradings) -> _Majority:
    key = gradings.combination * (gradings.generation.max() + 1) + gradings.generation
    _, first, text = np.unique(key, return_index=True, return_inverse=True)
    points = majority_per_text(gradings.points, text)
    texts = pd.DataFrame(text_metrics(points), columns=METRICS)
    texts["k"] = gradings.k
    texts["combination"] = gradings.combination[first]
    texts["generation"] = gradings.generation[first]
    skills, categories = (
        labels[first] if labels is not None else None for labels in (gradings.skills, gradings.categories)
    )
    return _Majority(texts, points[:, :-OTHER_POINTS], skills, categories)


def _over_generations(texts: pd.DataFrame, generations: Sequence[str], bootstrap: Bootstrap) -> dict[str, Any]:
    by_generation = texts.groupby("generation")[METRICS]
    means = by_generation.mean().assign(combinations=by_generation.size())
    per_generation = {
        generations[code]: {"combinations": int(row["combinations"]), **{name: row[name] for name in METRICS}}
        for code, row in zip(means.index.tolist(), means.to_dict("records"), strict=True)
    }
    by_combination = texts.groupby(["k", "combination"])[METRICS]
    return {**_group(by_combination.max(), by_combination.mean(), bootstrap), "per_generation": per_generation}


def _group(best: pd.DataFrame, mean: pd.DataFrame, bootstrap: Bootstrap) -> dict[str, Any]:
    """Return the estimates of two frames that have a row per combination and a column per metric."""
    return {"combinations": len(best), "best": _estimates(best, bootstrap), "mean": _estimates(mean, bootstrap)}


def _estimates(combinations: pd.DataFrame, bootstrap: Bootstrap) -> dict[str, Any]:
    return {str(name): estimate(values.to_numpy(), bootstrap) for name, values in combinations.items()}


def _labelled(majority: _Majority, labels: Codes | None) -> pd.DataFrame:
    """Return a row per text and distinct label: the text's metrics and the earned share of the label's points."""
    assert labels is not None, "either all k have labels or none has"
    of_text = np.repeat(np.arange(len(labels)), labels.shape[1])
    # The category of a whole combination has the points of all skills.
    points = majority.points if labels.shape == majority.points.shape else majority.points.mean(axis=1, keepdims=True)
    flat = pd.DataFrame({"text": of_text, "label": labels.ravel(), POINT: points.ravel()})
    return flat.groupby(["text", "label"], as_index=False)[POINT].mean().join(majority.texts, on="text")


def _per_label(labelled: pd.DataFrame, names: Sequence[str], bootstrap: Bootstrap) -> dict[str, Any]:
    by_combination = labelled.groupby(["label", "k", "combination"])[[*METRICS, POINT]]
    best, mean = by_combination.max().groupby("label"), by_combination.mean().groupby("label")
    codes = labelled["label"].unique().tolist()
    groups = {names[code]: _group(best.get_group(code), mean.get_group(code), bootstrap) for code in codes}
    return dict(sorted(groups.items()))
