"""The metrics of one student's answers: per k and split, per category and skill, with intervals.

Full Marks and All Skills are all-or-nothing. Skill Fraction is linear in the points, so it shows small changes too
("Are Emergent Abilities of Large Language Models a Mirage?", arXiv 2304.15004): read both.
"""

from collections.abc import Sequence
from typing import Any, TypedDict

import pyarrow as pa
import pyarrow.compute as pc

from skillmill.data.errors import ConfigError
from skillmill.train.evaluation.config import EvaluateConfig
from skillmill.train.evaluation.points import read_points
from skillmill.train.evaluation.skill_mix_metrics import Bootstrap, skill_mix_metrics
from skillmill.train.evaluation.skill_names import Naming

MINUS_NAMED, MINUS_COMMON = "_minus_named", "_minus_common"
"""Endings of metrics: without the points of skills that the text names, without cells that have a common skill.

Both are variants of Skill-Mix (arXiv 2310.17567). A metric with both endings is the one of its leaderboard.
"""
BEST = "best_"
"""The beginning of metrics of the best text of each cell, as Skill-Mix reports; without it, the mean of its texts."""


class Estimate(TypedDict):
    """A mean over n combinations, its standard error and a 95 % bootstrap interval; None for one combination."""

    value: float
    se: float | None
    low: float | None
    high: float | None
    n: int


Metrics = dict[str, Estimate]
ByKAndSplit = dict[str, dict[str, Metrics]]


def metrics_by_k(answers: pa.Table, settings: EvaluateConfig, common: Sequence[str]) -> ByKAndSplit:
    """Return the metrics {k: {split: {metric: estimate}}} of a table of `AnswerRow`."""
    found: ByKAndSplit = {}
    for k in sorted(pc.unique(answers["k"]).to_pylist()):
        of_k = answers.filter(pc.equal(answers["k"], k))
        for split in pc.unique(of_k["split"]).to_pylist():
            metrics = group_metrics(of_k.filter(pc.equal(of_k["split"], split)), settings, common)
            if metrics:
                found.setdefault(str(k), {})[split] = metrics
    return found


def pooled_by_k(answers: pa.Table, settings: EvaluateConfig, common: Sequence[str]) -> dict[str, Metrics]:
    """Return the metrics {k: {metric: estimate}} over all splits together, which `skillmill score` computes too."""
    ks = sorted(pc.unique(answers["k"]).to_pylist())
    by_k = {str(k): group_metrics(answers.filter(pc.equal(answers["k"], k)), settings, common) for k in ks}
    return {k: metrics for k, metrics in by_k.items() if metrics}


def metrics_by_label(answers: pa.Table, settings: EvaluateConfig) -> dict[str, dict[str, dict[str, Metrics]]]:
    """Return the metrics {"per_category" or "per_skill": {split: {name: {metric: estimate}}}} over all k."""
    found: dict[str, dict[str, dict[str, Metrics]]] = {"per_category": {}, "per_skill": {}}
    for split in pc.unique(answers["split"]).to_pylist():
        metrics = _skill_mix(answers.filter(pc.equal(answers["split"], split)), settings, "ignore", (), labels=True)
        for key, groups in found.items():
            if metrics is not None:
                groups[split] = {name: _estimates(group, "mean") for name, group in metrics[key].items()}
    return found


def group_metrics(answers: pa.Table, settings: EvaluateConfig, common: Sequence[str]) -> Metrics:
    """Return all metrics of answers with the same k, {} if none has points."""
    variants: list[tuple[str, Naming, Sequence[str]]] = [("", "ignore", ()), (MINUS_NAMED, settings.naming, ())]
    if common:
        variants += [(MINUS_COMMON, "ignore", common), (MINUS_NAMED + MINUS_COMMON, settings.naming, common)]
    metrics: Metrics = {}
    for ending, naming, excluded in variants:
        found = _skill_mix(answers, settings, naming, excluded)
        if found is None:
            continue
        metrics |= {name + ending: each for name, each in _estimates(found["overall"], "mean").items()}
        if settings.generations > 1:
            metrics |= {BEST + name + ending: each for name, each in _estimates(found["overall"], "best").items()}
    return metrics


def with_count(found: dict[str, float | None], n: int) -> Estimate:
    """Return what `skill_mix_metrics.estimate` does, with the number of combinations."""
    value = found["value"]
    assert value is not None, "a mean of at least one number"
    return Estimate(value=value, se=found["se"], low=found["low"], high=found["high"], n=n)


def _skill_mix(
    answers: pa.Table, settings: EvaluateConfig, naming: Naming, excluded: Sequence[str], labels: bool = False
) -> dict[str, Any] | None:
    """Return what `skill_mix_metrics` does, with `labels` also per skill; None if no answer is left with points."""
    usable = pc.any(pc.is_valid(answers["points"])).as_py()
    if not usable:
        return None
    present = {name for names in answers["skills"].to_pylist() for name in names}
    try:
        points = read_points(answers, excluded, naming, [*present, *excluded])
    except ConfigError:  # every cell has an excluded skill
        if excluded:
            return None
        raise
    bootstrap = Bootstrap(settings.bootstrap)
    skills, categories = (points.skills, points.categories) if labels else ([], [])
    return skill_mix_metrics(points.gradings, points.generations, skills, categories, bootstrap)


def _estimates(group: dict[str, Any], over: str) -> Metrics:
    n = int(group["combinations"])
    return {name: with_count(each, n) for name, each in group[over].items()}
