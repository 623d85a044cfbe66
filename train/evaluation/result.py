"""The content of `evaluate/metrics.json`, from the answers of the student and of its baseline."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from skillmill.skill_taxonomy.taxonomy import Taxonomy
from skillmill.train.evaluation.answers import ANSWER_SCHEMA, CellAnswers
from skillmill.train.evaluation.config import EvaluateConfig, GraderName, Role
from skillmill.train.evaluation.flips import (
    agreement,
    flips_by_k,
    flips_by_label,
    gains_by_k,
    paired,
    text_table,
)
from skillmill.train.evaluation.rates import UNTIL_METRIC, beyond_parrots, corpus_of_training, pass_until
from skillmill.train.evaluation.student_metrics import (
    ByKAndSplit,
    metrics_by_k,
    metrics_by_label,
    pooled_by_k,
)
from skillmill.train.evaluation.trained_on import TrainedOn

ROLES: tuple[Role, ...] = ("student", "baseline")


@dataclass(frozen=True)
class Evaluation:
    """The answers of the student and, second, of the baseline if there is one, and what they are measured with."""

    settings: EvaluateConfig
    taxonomy: Taxonomy
    seen: TrainedOn
    graded_by: GraderName
    names: list[str]
    answers: list[list[CellAnswers]]
    training_tokens: int | None
    seed: int

    @property
    def tables(self) -> list[pa.Table]:
        """The answers of each model as a table of `AnswerRow`."""
        return [
            pa.Table.from_pylist([row for cell in cells for row in cell.rows], schema=ANSWER_SCHEMA)
            for cells in self.answers
        ]

    @property
    def common(self) -> tuple[str, ...]:
        """The skills that count as common and that some answer has."""
        marked = tuple(skill.name for skill in self.taxonomy.skills if skill.common)
        names = marked if self.settings.common is None else self.settings.common
        present = {name for table in self.tables for skills in table["skills"].to_pylist() for name in skills}
        return tuple(name for name in names if name in present)


def evaluation_metrics(evaluation: Evaluation) -> dict[str, Any]:
    """Return the metrics. The keys "baseline", "flips" and "gain" are None without a baseline."""
    settings, tables, common = evaluation.settings, evaluation.tables, evaluation.common
    by_role: dict[str, ByKAndSplit] = {
        role: metrics_by_k(table, settings, common) for role, table in zip(ROLES, tables, strict=False)
    }
    for role, cells in zip(ROLES, evaluation.answers, strict=False):
        _add_pass_until(by_role[role], cells, settings)
    labels = {role: metrics_by_label(table, settings) for role, table in zip(ROLES, tables, strict=False)}
    corpus = settings.corpus or corpus_of_training(
        evaluation.seen, len(evaluation.taxonomy.skills), len(evaluation.taxonomy.topics)
    )
    metrics: dict[str, Any] = {
        "student": by_role["student"],
        "baseline": by_role.get("baseline"),
        "flips": None,
        "gain": None,
        "pooled": {role: pooled_by_k(table, settings, common) for role, table in zip(ROLES, tables, strict=False)},
        "per_category": {role: of_role["per_category"] for role, of_role in labels.items()},
        "per_skill": {role: of_role["per_skill"] for role, of_role in labels.items()},
        "agreement": agreement(tables),
        "beyond_parrots": beyond_parrots(by_role["student"], corpus) if corpus else None,
        "models": dict(zip(ROLES, evaluation.names, strict=False)),
        "settings": {
            "taxonomy": evaluation.taxonomy.name,
            "held_out": settings.held_out,
            "protocol": settings.protocol,
            "graded_by": evaluation.graded_by,
            "sampling": settings.sampling.model_dump(),
            "generations": settings.generations,
            "naming": settings.naming,
            "common": list(common),
            "corpus": corpus.model_dump() if corpus else None,
            "training_rows": evaluation.seen.rows,
            "training_tokens": evaluation.training_tokens,
            "bootstrap": settings.bootstrap,
            "seed": evaluation.seed,
        },
    }
    if len(tables) == 2:
        pairs = paired(text_table(tables[0]), text_table(tables[1]))
        metrics["flips"] = {
            "per_k": flips_by_k(pairs),
            "per_category": flips_by_label(pairs, "category"),
            "per_skill": flips_by_label(pairs, "skills"),
        }
        metrics["gain"] = gains_by_k(pairs, evaluation.training_tokens, settings.bootstrap)
    return metrics


def _add_pass_until(metrics: ByKAndSplit, cells: list[CellAnswers], settings: EvaluateConfig) -> None:
    """Add the metric `pass_until` to each k and split, if it was asked for."""
    if settings.until is None:
        return
    draws: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for each in cells:
        first = each.rows[0]
        draws.setdefault((str(first["k"]), first["split"]), []).append((each.tries, each.passes))
    for (k, split), of_group in draws.items():
        found = pass_until(of_group, settings.bootstrap)
        if found is not None and split in metrics.get(k, {}):
            metrics[k][split][UNTIL_METRIC] = found
