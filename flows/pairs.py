"""The pairs step: for each accepted row a worse answer to the same prompt, for preference training."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from skillmill.data.export import accepted_cells
from skillmill.data.records import text_of
from skillmill.flows.committer import Committer
from skillmill.flows.config import PairsConfig
from skillmill.flows.plan import Plan
from skillmill.flows.runner import in_order
from skillmill.flows.workspace import Workspace
from skillmill.generators import shirkers
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.teachers.base import Sampling, Teacher, TurnFailed
from skillmill.teachers.build import open_teacher

_ASKED = {"brevity": shirkers.brevity, "junk": shirkers.junk}


def pairs_plan(plan: Plan, config: PairsConfig) -> str:
    """The fingerprint of the pairs: they change with the rows, the sources, the share and the prompts."""
    parts = [plan.fingerprint, config.model_dump(mode="json"), shirkers.prompts()]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]


async def make_pairs(
    workspace: Workspace, plan: Plan, report: Callable[[int, int], None] = lambda done, pairs: None
) -> tuple[int, Counter[str]]:
    """Pair every accepted row that has no pairs yet. Returns the pairs made now and the dropped, by reason."""
    config, name = workspace.config, pairs_plan(plan, workspace.config.pairs)
    committer = Committer(workspace.pairs, name, config.generation.shard_rows)
    rows = _unpaired(workspace, plan, committer.stop)
    dropped: Counter[str] = Counter()
    made = 0
    first = next(rows, None)
    if first is None:
        return 0, dropped

    def inputs() -> Iterator[dict[str, Any]]:
        assert first is not None
        yield first
        yield from rows

    async def run(teacher: Teacher | None) -> None:
        nonlocal made

        async def make(row: dict[str, Any]) -> tuple[int, list[dict[str, Any]], Counter[str]]:
            return await _pairs_of(row, config.pairs, teacher, config.teacher.sampling)

        in_flight = config.teacher.max_in_flight
        try:
            number = 0
            async for index, pairs, lost in in_order(inputs(), make, in_flight, lead=8 * in_flight):
                committer.add(index, pairs, bool(pairs))
                dropped.update(lost)
                made, number = made + len(pairs), number + 1
                report(number, made)
                if committer.full:
                    committer.commit()  # in this thread: a Ctrl-C must not meet a commit half way
        finally:
            committer.commit()

    if any(source in _ASKED for source in config.pairs.sources):
        async with open_teacher(config.teacher, workspace.journal, workspace.usage) as teacher:
            await run(teacher)
    else:
        await run(None)  # the draft is in the row: nothing is asked
    workspace.pairs.tidy()
    return made, dropped


def _unpaired(workspace: Workspace, plan: Plan, start: int) -> Iterator[dict[str, Any]]:
    """The accepted rows of the plan from position `start` on, as many as the share takes."""
    share = workspace.config.pairs.share
    for shard in workspace.samples.of_plan(plan.fingerprint):
        if shard.stop <= start:
            continue
        for row in accepted_cells(workspace.samples.rows(shard).to_pylist()):
            if row["index"] >= start and derived_seed("share", row["seed"]) < share * 2**31:
                yield row


async def _pairs_of(
    row: dict[str, Any], config: PairsConfig, teacher: Teacher | None, sampling: Sampling
) -> tuple[int, list[dict[str, Any]], Counter[str]]:
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
        "id": hashlib.sha256(f"{row['id']}:{source}".encode()).hexdigest()[:16],
        "prompt": row["prompt"],
        "chosen": row["completion"],
        "rejected": [{"role": "assistant", "content": worse}],
        "chosen_source": "final" if source == "draft" else "accepted",
        "rejected_source": source,
        "margin": None,
    }
