"""The generate step: cells become rows, rows become shards."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skillmill.data.records import Sample, sample_row
from skillmill.data.store import ShardStore
from skillmill.filters.judge import apply_filters
from skillmill.flows.committer import Committer
from skillmill.flows.plan import Plan
from skillmill.flows.runner import in_order
from skillmill.flows.workspace import Workspace
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import Teacher, TurnFailed
from skillmill.teachers.build import open_teacher

Report = Callable[["Outcome"], None]


@dataclass
class Outcome:
    """How far a plan has come. `asked` says what it waits for; `missed` why it cannot get there, if so."""

    cells: int = 0
    accepted: int = 0
    samples_cap: int | None = None
    accepted_target: int | None = None
    missed: str = ""
    tokens: Callable[[], int] = field(default=lambda: 0, repr=False)

    @property
    def done(self) -> bool:
        if self.accepted_target is not None and self.accepted >= self.accepted_target:
            return True
        return self.samples_cap is not None and self.cells >= self.samples_cap


async def generate(workspace: Workspace, plan: Plan, report: Report = lambda _: None) -> Outcome:
    """Bring the plan to its target, from wherever its shards stand.

    Whatever stops it (Ctrl-C, a teacher that is gone), the rows decided so far are committed first.
    """
    store, generation = workspace.samples, workspace.config.generation
    shards = store.of_plan(plan.fingerprint)
    outcome = Outcome(
        cells=sum(shard.cells for shard in shards),
        accepted=sum(shard.accepted for shard in shards),
        samples_cap=generation.samples,
        accepted_target=generation.accepted,
        tokens=lambda: workspace.usage.total().completion_tokens,
    )
    if not outcome.done:
        async with open_teacher(workspace.config.teacher, workspace.journal, workspace.usage) as teacher:
            await _run(workspace, plan, teacher, outcome, report)
    if outcome.accepted_target is not None and outcome.accepted < outcome.accepted_target:
        why = "generation.samples is reached" if outcome.done else "the space of cells is used up"
        outcome.missed = (
            f"generation.accepted: {outcome.accepted} of {outcome.accepted_target} accepted after "
            f"{outcome.cells} cells, and {why}"
        )
    elif not outcome.done:
        outcome.missed = f"generation.samples: the space of cells is used up after {outcome.cells}"
    store.tidy()
    return outcome


async def _run(workspace: Workspace, plan: Plan, teacher: Teacher, outcome: Outcome, report: Report) -> None:
    config = workspace.config
    shard_cells = max(1, config.generation.shard_rows // config.generation.generations)
    committer = Committer(workspace.samples, plan.fingerprint, shard_cells)
    found = outcome.accepted
    left = None if outcome.samples_cap is None else outcome.samples_cap - outcome.cells

    async def make(cell: Cell) -> list[dict[str, Any]]:
        try:
            samples = await plan.generator.make(cell, teacher)
        except TurnFailed as failure:
            samples = [Sample("", "", explanation=str(failure), reasons=(failure.reason,))]
        decided = [apply_filters(sample, cell, config.filters) for sample in samples]
        return [_row(sample, cell, plan, teacher.name) for sample in decided]

    def note(rows: list[dict[str, Any]]) -> None:
        nonlocal found
        found += _accepted(rows)

    def still_needed() -> int | None:
        return None if outcome.accepted_target is None else outcome.accepted_target - found

    in_flight = config.teacher.max_in_flight
    rows_in_order = in_order(
        _cells(workspace.samples, plan, committer.stop, left),
        make,
        in_flight,
        lead=max(8 * in_flight, 2 * shard_cells),
        still_needed=still_needed,
        finished=note,
    )
    try:
        async for rows in rows_in_order:
            committer.add(rows[0]["index"], rows, _accepted(rows))
            outcome.cells += 1
            outcome.accepted += _accepted(rows)
            report(outcome)
            if committer.full:
                committer.commit()  # in this thread: a Ctrl-C must not meet a commit half way
    finally:
        committer.commit()


def _accepted(rows: list[dict[str, Any]]) -> bool:
    return any(row["verdict"] == "accepted" for row in rows)


def _cells(store: ShardStore, plan: Plan, start: int, count: int | None) -> Iterator[Cell]:
    """Cells of the plan from position `start`, without those that another plan has tried; at most `count`."""
    tried = _tried(store, plan.fingerprint)
    for index in range(start, plan.combinations.size):
        if count is not None and count <= 0:
            return
        cell = plan.combinations[index]
        key = np.uint64(int(cell.key, 16))
        place = np.searchsorted(tried, key)
        if place < len(tried) and tried[place] == key:
            continue
        yield cell
        if count is not None:
            count -= 1


def _tried(store: ShardStore, plan: str) -> np.ndarray:
    """The keys of all cells of other plans, ascending: 8 bytes a cell."""
    others = dict.fromkeys(shard.plan for shard in store.shards if shard.plan != plan)
    keys = [
        np.array([int(key, 16) for key in table["cell"].to_pylist()], np.uint64)
        for table in store.tables(others, ["cell"])
    ]
    return np.unique(np.concatenate(keys)) if keys else np.empty(0, np.uint64)


def _row(sample: Sample, cell: Cell, plan: Plan, teacher: str) -> dict[str, Any]:
    return sample_row(
        sample,
        plan=plan.fingerprint,
        index=cell.index,
        cell=cell.key,
        kind=cell.kind,
        k=cell.k,
        skills=[skill.name for skill in cell.skills],
        topic=cell.topic.name if cell.topic else None,
        query_type=cell.query_type.name if cell.query_type else None,
        grade=None,
        teacher=teacher,
        grader=None,
        prompts=plan.generator.prompts,
        seed=cell.seed,
        split="train",
    )
