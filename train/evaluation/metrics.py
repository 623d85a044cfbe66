"""Skill-Mix metrics of graded texts: majority over gradings, best and mean over generations, mean over combinations.

The definitions are those of Skill-Mix's own aggregation (arXiv 2310.17567). A text of k skills has k + 3 points:
one a skill, then "on topic", "makes sense" and "within the sentence limit".
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
"""On topic, makes sense, within the limit: the points behind those of the skills."""
METRICS = ["full_marks", "all_skills", "skill_fraction"]
POINT = "point"
"""Beside the metrics of a skill or a category: the share of its own points that was earned."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Gradings:
    """All gradings of texts with one k, a row each. Codes are numbers for names, from 0.

    `skills` is (rows, k); `categories` is (rows, k), one a skill, or (rows, 1), one a combination.
    """

    points: Numbers
    """(rows, k + 3), each in 0..1."""
    combination: Codes
    generation: Codes
    skills: Codes | None = None
    categories: Codes | None = None

    @property
    def k(self) -> int:
        return self.points.shape[1] - OTHER_POINTS


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn: combinations with replacement, `draws` times, from `seed`."""

    draws: int = 1000
    seed: int = 0


def majority(points: Numbers, text: Codes) -> Numbers:
    """The points of each text, 0 or 1: the mean over its gradings, rounded; half rounds to 0.

    `points` is (gradings, criteria), `text` the code of each grading's text; the result is (texts, criteria).
    """
    sums = np.column_stack([np.bincount(text, weights=criterion) for criterion in points.T])
    return np.rint(sums / np.bincount(text)[:, None])


def text_metrics(points: Numbers) -> Numbers:
    """Full Marks, All Skills and Skill Fraction of each text: (texts, k + 3) of 0 or 1 to (texts, 3).

    Full Marks: every point. All Skills: every skill and at least two of the three others. Skill Fraction: the share
    of the skills where all three others are earned, else 0.
    """
    skills, others = points[:, :-OTHER_POINTS], points[:, -OTHER_POINTS:].sum(axis=1)
    share = skills.mean(axis=1)
    every = share == 1
    return np.column_stack([every & (others == 3), every & (others >= 2), np.where(others == 3, share, 0)])


def estimate(values: Numbers, bootstrap: Bootstrap) -> dict[str, float | None]:
    """The mean over combinations, its standard error std(ddof=1)/√n, and a percentile bootstrap interval of 95 %.

    One combination has neither error nor interval. Drawing n values with replacement is drawing how often each
    distinct value comes, and the values are few: so 10^5 combinations cost no more than 10.
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
    """All metrics, as plain data: `overall`, `per_k`, and `per_category` and `per_skill` where the gradings have them.

    Every group has `combinations` (how many), `best` (the best of a combination's generations, each metric for
    itself) and `mean` (their mean), with an `estimate` a metric; `overall` and `per_k` have `per_generation` too.
    A combination is known by its code and k. The sequences name the codes. There has to be at least one grading.
    """
    bootstrap = bootstrap or Bootstrap()
    voted = [_vote(of_k) for of_k in gradings]
    texts = pd.concat([of_k.texts for of_k in voted], ignore_index=True)
    found: dict[str, Any] = {
        "overall": _over_all(texts, generations, bootstrap),
        "per_k": {str(k): _over_all(of_k, generations, bootstrap) for k, of_k in texts.groupby("k")},
    }
    if categories:
        shares = pd.concat([_shares(of_k, of_k.categories) for of_k in voted], ignore_index=True)
        found["per_category"] = _per_label(shares, categories, bootstrap)
    if skills:
        shares = pd.concat([_shares(of_k, of_k.skills) for of_k in voted], ignore_index=True)
        found["per_skill"] = _per_label(shares, skills, bootstrap)
    return found


@dataclass(frozen=True)
class _Voted:
    """The texts of one k after the vote: a frame with a row a text, its skills' points, its labels."""

    texts: pd.DataFrame
    points: Numbers
    skills: Codes | None
    categories: Codes | None


def _vote(gradings: Gradings) -> _Voted:
    key = gradings.combination * (gradings.generation.max() + 1) + gradings.generation
    _, first, text = np.unique(key, return_index=True, return_inverse=True)
    points = majority(gradings.points, text)
    texts = pd.DataFrame(text_metrics(points), columns=METRICS)
    texts["k"] = gradings.k
    texts["combination"] = gradings.combination[first]
    texts["generation"] = gradings.generation[first]
    skills, categories = (
        labels[first] if labels is not None else None for labels in (gradings.skills, gradings.categories)
    )
    return _Voted(texts, points[:, :-OTHER_POINTS], skills, categories)


def _over_all(texts: pd.DataFrame, generations: Sequence[str], bootstrap: Bootstrap) -> dict[str, Any]:
    by_generation = texts.groupby("generation")[METRICS]
    rounds = by_generation.mean().assign(combinations=by_generation.size())
    per_generation = {
        generations[code]: {"combinations": int(row["combinations"]), **{name: row[name] for name in METRICS}}
        for code, row in zip(rounds.index.tolist(), rounds.to_dict("records"), strict=True)
    }
    by_combination = texts.groupby(["k", "combination"])[METRICS]
    return {**_group(by_combination.max(), by_combination.mean(), bootstrap), "per_generation": per_generation}


def _group(best: pd.DataFrame, mean: pd.DataFrame, bootstrap: Bootstrap) -> dict[str, Any]:
    """Both frames have a row a combination and a column a metric."""
    return {"combinations": len(best), "best": _estimates(best, bootstrap), "mean": _estimates(mean, bootstrap)}


def _estimates(combinations: pd.DataFrame, bootstrap: Bootstrap) -> dict[str, Any]:
    return {str(name): estimate(values.to_numpy(), bootstrap) for name, values in combinations.items()}


def _shares(voted: _Voted, labels: Codes | None) -> pd.DataFrame:
    """A row for each label that a text has, once: the text's metrics and the share of the label's points earned."""
    assert labels is not None, "labels are there for every k or for none"
    of_text = np.repeat(np.arange(len(labels)), labels.shape[1])
    # A category of the whole combination has all of its skill points.
    points = voted.points if labels.shape == voted.points.shape else voted.points.mean(axis=1, keepdims=True)
    flat = pd.DataFrame({"text": of_text, "label": labels.ravel(), POINT: points.ravel()})
    return flat.groupby(["text", "label"], as_index=False)[POINT].mean().join(voted.texts, on="text")


def _per_label(shares: pd.DataFrame, names: Sequence[str], bootstrap: Bootstrap) -> dict[str, Any]:
    by_combination = shares.groupby(["label", "k", "combination"])[[*METRICS, POINT]]
    best, mean = by_combination.max().groupby("label"), by_combination.mean().groupby("label")
    codes = shares["label"].unique().tolist()
    groups = {names[code]: _group(best.get_group(code), mean.get_group(code), bootstrap) for code in codes}
    return dict(sorted(groups.items()))
