"""The functions that `skillmill_checkable.yaml` names. lm-evaluation-harness loads this file by its path."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
from datasets import Dataset

from skillmill.flows.harnesses.held_out import held_out, metrics_of_cell, restored, stored
from skillmill.teachers.base import Reply, Request, Sampling
from skillmill.train.evaluation.answers import Examiner, request_of
from skillmill.train.evaluation.config import EvaluateConfig

KEYS = ("taxonomy", "k", "samples", "splits", "seed")
TAXONOMY = "builtin:checkable"
"""The taxonomy, where neither metadata nor a configuration names one."""


def held_out_docs(config: str | None = None, **metadata: Any) -> dict[str, Dataset]:
    """Return the split `test` with a row per held-out cell, from the metadata of the task.

    The harness adds its model's arguments to the metadata, so other keys are ignored. Raises `ConfigError`.
    """
    options = {key: metadata.get(key) for key in KEYS}
    if config is None and options["taxonomy"] is None:
        options["taxonomy"] = TAXONOMY
    asked = held_out(config, **options, grader="rule")
    rows = [
        {
            "prompt": request_of(cell.cell),
            "split": cell.split,
            "k": cell.cell.k,
            "skills": [skill.name for skill in cell.cell.skills],
            "held_out": orjson.dumps(stored(cell)).decode(),
        }
        for cell in asked.cells
    ]
    return {"test": Dataset.from_list(rows)}


def all_texts(answers: Sequence[Sequence[str]], docs: Any) -> list[list[str]]:
    """Return all texts of each row; the harness would keep the first alone."""
    return [list(texts) for texts in answers]


def process_results(doc: dict[str, Any], results: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return the metrics of one row: each is that of its best text, graded by rules."""
    texts = list(results[0])
    examiner = Examiner(_Given(texts), Sampling(), EvaluateConfig(generations=len(texts)), "rule")
    answers = asyncio.run(examiner.examine(restored(orjson.loads(doc["held_out"]))))
    return metrics_of_cell(answers.rows) or {}


class _Given:
    """A teacher that answers with given texts, in order."""

    name = "lm_eval"

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = iter(texts)

    async def chat(self, request: Request) -> Reply:
        return Reply(next(self._texts), "stop", 0, 0)
