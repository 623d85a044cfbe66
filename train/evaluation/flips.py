"""Two students on the same cells: flips of points, gains and regressions, gain per 1,000 training tokens.

Positive and negative flips are those of MUSCLE (arXiv 2407.09435): a point that the baseline lacks and the student has,
and the reverse. For the share of a text's skills, gain and regression are the means of the positive and of the negative
differences. Gain per training token is what "On the Measure of Intelligence" (arXiv 1911.01547) asks for beside skill.
"""

from collections.abc import Iterable, Sequence
from typing import TypedDict

import numpy as np
import pandas as pd
import pyarrow as pa

from skillmill.train.evaluation.skill_mix_metrics import (
    METRICS,
    OTHER_POINTS,
    Bootstrap,
    Numbers,
    estimate,
    text_metrics,
)
from skillmill.train.evaluation.student_metrics import Estimate, with_count

KEYS = ["k", "split", "combination", "generation"]
PER_TOKENS = 1000


class Flips(TypedDict):
    """Shares of n points or texts: right only in the student, only in the baseline, in both, in neither."""

    positive: float
    negative: float
    both: float
    neither: float
    n: int


class TextFlips(Flips):
    """The flips of Full Marks over texts, and the means of the rises and falls of Skill Fraction."""

    gain: float
    regression: float


def text_table(answers: pa.Table) -> pd.DataFrame:
    """Return the texts with points, indexed by `KEYS`: the metrics of each, its skills and their points (0 or 1)."""
    frame = answers.select([*KEYS, "skills", "category", "points"]).to_pandas()
    frame = frame[frame["points"].notna()]
    rows = []
    for key, of_text in frame.groupby(KEYS, sort=True):
        majority = np.rint(np.mean(np.stack(of_text["points"].tolist()), axis=0))
        first = of_text.iloc[0]
        metrics = dict(zip(METRICS, text_metrics(majority[None, :])[0].tolist(), strict=True))
        points = majority[:-OTHER_POINTS].tolist()
        rows.append((*key, *metrics.values(), list(first["skills"]), list(first["category"]), points))
    table = pd.DataFrame(rows, columns=[*KEYS, *METRICS, "skills", "category", "points"])
    return table.set_index(KEYS)


def paired(student: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """Return the texts that both have points for; columns of the baseline end in `_before`."""
    before = baseline.drop(columns=["skills", "category"]).add_suffix("_before")
    return student.join(before, how="inner")


def flips_by_k(pairs: pd.DataFrame) -> dict[str, dict[str, TextFlips]]:
    """Return {k: {split: flips}} of `paired` texts."""
    found: dict[str, dict[str, TextFlips]] = {}
    for (k, split), group in pairs.groupby(["k", "split"], sort=True):
        change = group["skill_fraction"] - group["skill_fraction_before"]
        found.setdefault(str(k), {})[split] = TextFlips(
            **_flips(group["full_marks"].to_numpy(), group["full_marks_before"].to_numpy()),
            gain=float(change.clip(lower=0).mean()),
            regression=float((-change).clip(lower=0).mean()),
        )
    return found


def flips_by_label(pairs: pd.DataFrame, column: str) -> dict[str, Flips]:
    """Return the flips of the points of each skill or category; `column` is "skills" or "category"."""
    points = pairs[[column, "points", "points_before"]].explode([column, "points", "points_before"])
    return {
        str(name): _flips(group["points"].to_numpy(float), group["points_before"].to_numpy(float))
        for name, group in points.groupby(column, sort=True)
    }


class Gain(TypedDict):
    """The mean difference of a metric over cells, and the same for each 1,000 tokens of the training, if known."""

    difference: Estimate
    per_1000_tokens: float | None


def gains_by_k(pairs: pd.DataFrame, tokens: int | None, draws: int) -> dict[str, dict[str, dict[str, Gain]]]:
    """Return {k: {split: {metric: gain}}}; the mean of a cell's texts counts once."""
    found: dict[str, dict[str, dict[str, Gain]]] = {}
    for (k, split), group in pairs.groupby(["k", "split"], sort=True):
        of_split = found.setdefault(str(k), {}).setdefault(split, {})
        for metric in METRICS:
            change = group[metric] - group[f"{metric}_before"]
            by_cell: Numbers = change.groupby("combination").mean().to_numpy()
            difference = with_count(estimate(by_cell, Bootstrap(draws)), len(by_cell))
            of_split[metric] = Gain(
                difference=difference,
                per_1000_tokens=difference["value"] / tokens * PER_TOKENS if tokens else None,
            )
    return found


def agreement(answers: Iterable[pa.Table]) -> dict[str, float | int] | None:
    """Return how far rules and model agree on the points of skills and of the other criteria; None if only one grades.

    `kappa` is Cohen's, over the points of skills; it is 1 if neither gives different points.
    """
    rules: list[float] = []
    model: list[float] = []
    others: list[bool] = []
    for table in answers:
        for row in table.select(["points", "model_points"]).to_pylist():
            if row["points"] is None or row["model_points"] is None:
                continue
            rules += row["points"][:-OTHER_POINTS]
            model += row["model_points"][:-OTHER_POINTS]
            pairs = zip(row["points"][-OTHER_POINTS:], row["model_points"][-OTHER_POINTS:], strict=True)
            others += [round(one) == round(other) for one, other in pairs]
    if not rules:
        return None
    one, other = np.rint(rules), np.rint(model)
    agreed = float((one == other).mean())
    chance = float(one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean()))
    kappa = 1.0 if chance == 1 else (agreed - chance) / (1 - chance)
    return {"skills": agreed, "kappa": kappa, "other_criteria": float(np.mean(others)), "points": len(rules)}


def _flips(student: Sequence[float] | Numbers, baseline: Sequence[float] | Numbers) -> Flips:
    now, before = np.asarray(student) > 0.5, np.asarray(baseline) > 0.5
    return Flips(
        positive=float((now & ~before).mean()),
        negative=float((~now & before).mean()),
        both=float((now & before).mean()),
        neither=float((~now & ~before).mean()),
        n=len(now),
    )
