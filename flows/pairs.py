"""The pairs step: for each accepted row a worse answer to the same prompt, for preference training."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import orjson

from skillmill.data.export import accepted_cells
from skillmill.data.records import pair_id, text_of
from skillmill.flows.committer import Committer
from skillmill.flows.config import PairsConfig
from skillmill.flows.plan import Plan
from skillmill.flows.runner import in_order, rows_at_once
from skillmill.flows.workspace import Workspace
from skillmill.generators import shirkers
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.teachers.accounting import BudgetMet
from skillmill.teachers.base import Sampling, Teacher, TurnFailed
from skillmill.teachers.build import open_teacher

_ASKED = {"brevity": shirkers.brevity, "junk": shirkers.junk}


def pairs_plan(plan: Plan, config: PairsConfig) -> str:
    """The fingerprint of the pairs: they change with the rows, the sources, the share and the prompts."""
    parts = [plan.fingerprint, config.model_dump(mode="json"), shirkers.prompts()]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]


@dataclass
class PairsOutcome:
    """What one call made: rows looked at, pairs made, what was dropped by reason, and the budget that ended it."""

    rows: int = 0
    pairs: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    stopped: str = ""


async def make_pairs(workspace: Workspace, plan: Plan, outcome: PairsOutcome) -> None:
    """Pair every accepted row that has no pairs yet; `outcome` is kept up to date."""
    config, name = workspace.config, pairs_plan(plan, workspace.config.pairs)
    committer = Committer(workspace.pairs, name, config.generation.shard_rows)
    rows = _unpaired(workspace, plan, committer.stop)
    first = next(rows, None)
    if first is None:
        return

    async def run(teacher: Teacher | None) -> None:
        async def make(row: dict[str, Any]) -> tuple[int, list[dict[str, Any]], Counter[str]]:
            return await pairs_of(row, config.pairs, teacher, config.teacher.sampling)

        at_once = rows_at_once(config.teacher.max_in_flight)
        try:
            async for index, pairs, lost in in_order(chain([first], rows), make, at_once, lead=8 * at_once):
                committer.add(index, pairs, bool(pairs))
                outcome.dropped.update(lost)
                outcome.pairs += len(pairs)
                outcome.rows += 1
                if committer.full:
                    committer.commit()  # in this thread: a Ctrl-C must not meet a commit half way
        except BudgetMet as met:
            outcome.stopped = met.reason
        finally:
            committer.commit()

    if asked_sources(config.pairs):
        async with open_teacher(config.teacher, workspace.journal, workspace.usage) as teacher:
            await run(teacher)
    else:
        await run(None)  # the draft is in the row: nothing is asked
    workspace.pairs.tidy()


def asked_sources(config: PairsConfig) -> list[str]:
    """The sources for which the teacher is asked, once a pair."""
    return [source for source in config.sources if source in _ASKED] if config.share > 0 else []


def is_paired(row: dict[str, Any], config: PairsConfig) -> bool:
    """Whether an accepted row is in the share that gets pairs: a draw of its own seed."""
    return derived_seed("share", row["seed"]) < config.share * 2**31


def _unpaired(workspace: Workspace, plan: Plan, start: int) -> Iterator[dict[str, Any]]:
    """The accepted rows of the plan from position `start` on, as many as the share takes."""
    for shard in workspace.samples.of_plan(plan.fingerprint):
        if shard.stop <= start:
            continue
        for row in accepted_cells(workspace.samples.rows(shard).to_pylist()):
            if row["index"] >= start and is_paired(row, workspace.config.pairs):
                yield row


async def pairs_of(
    row: dict[str, Any], config: PairsConfig, teacher: Teacher | None, sampling: Sampling
) -> tuple[int, list[dict[str, Any]], Counter[str]]:
    """The row's index, its pairs, and the sources that gave none, by reason. `teacher` may be None where none asks."""
    pairs, dropped = [], Counter[str]()
    for source in config.sources:
        if source in _ASKED:
            assert teacher is not None
            seed = derived_seed(row["seed"], source)
            try:
                worse, _ = await _ASKED[source](text_of(row["prompt"]), teacher, sampling, seed)
            except TurnFailed as failure:
                dropped[failure.reason] += 1
                continue
        else:
            worse = row["draft"] or ""
        chosen = text_of(row["completion"])
        if not worse.strip():
            dropped["empty"] += 1
        elif " ".join(worse.split()) == " ".join(chosen.split()):
            dropped["identical"] += 1
        else:
            pairs.append(_pair(row, source, worse))
    return row["index"], pairs, dropped


def _pair(row: dict[str, Any], source: str, worse: str) -> dict[str, Any]:
    return {
        "id": pair_id(row["id"], source),
        "prompt": row["prompt"],
        "chosen": row["completion"],
        "rejected": [{"role": "assistant", "content": worse}],
        "chosen_source": "final" if source == "draft" else "accepted",
        "rejected_source": source,
        "margin": None,
    }
