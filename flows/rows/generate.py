"""The generate step: cells become rows, rows become shards."""

import gc
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import numpy as np

from skillmill.data.records import Sample, sample_row
from skillmill.data.store import ShardStore
from skillmill.flows.plan import Plan
from skillmill.flows.rows.decide import Rules, decided, load_rules
from skillmill.flows.rows.duplicates import Duplicates
from skillmill.flows.rows.grading import Grading, made_at_once, open_grading
from skillmill.flows.runtime.in_order import in_order
from skillmill.flows.runtime.shard_writer import Committer
from skillmill.flows.runtime.workspace import Workspace
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import RequestFailed, Teacher
from skillmill.teachers.build import open_teacher
from skillmill.teachers.middleware.accounting import BudgetMet

Report = Callable[["Outcome"], None]

HOPELESS = 200
"""Cells. Less than one accepted in so many ends a run that has no `generation.samples` to end it."""


@dataclass
class Outcome:
    """How far a plan has come; `missed` says why it cannot get there, if so."""

    cells: int = 0
    accepted: int = 0
    samples_cap: int | None = None
    accepted_target: int | None = None
    missed: str = ""
    stopped: str = ""
    """The budget that ended it, if one did."""

    @property
    def done(self) -> bool:
        if self.accepted_target is not None and self.accepted >= self.accepted_target:
            return True
        return self.samples_cap is not None and self.cells >= self.samples_cap

    @property
    def hopeless(self) -> bool:
        """Whether a target without a cap on cells finds fewer accepted cells than one in `HOPELESS`."""
        return self.samples_cap is None and self.cells >= HOPELESS and self.accepted * HOPELESS < self.cells


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
    )
    report(outcome)
    if not outcome.done and not outcome.hopeless:
        config, shared = workspace.config, (workspace.journal, workspace.usage)
        async with (
            open_teacher(config.teacher, *shared) as teacher,
            open_grading(config, plan, *shared, teacher) as grading,
        ):
            try:
                await _run(workspace, plan, teacher, grading, outcome, report)
            except BudgetMet as met:
                outcome.stopped = met.reason
    outcome.missed = "" if outcome.stopped else _why_missed(outcome)
    workspace.grades.tidy()
    store.tidy()
    return outcome


@dataclass(frozen=True)
class Made:
    """The decided rows of one cell, and the gradings of those that were graded."""

    rows: list[dict[str, Any]]
    gradings: list[dict[str, Any]]

    @property
    def accepted(self) -> bool:
        return _accepted(self.rows)


async def make_rows(cell: Cell, plan: Plan, teacher: Teacher, rules: Rules, grading: Grading | None = None) -> Made:
    """The decided rows of one cell; a cell that the teacher gave no reply for is a rejected row."""
    each = [await decided(row, cell, rules, grading) for row in await undecided_rows(cell, plan, teacher)]
    return Made([row for row, _ in each], [said for _, gradings in each for said in gradings])


async def undecided_rows(cell: Cell, plan: Plan, teacher: Teacher) -> list[dict[str, Any]]:
    """The rows of one cell before any filter has seen them."""
    try:
        samples = await plan.generator.make(cell, teacher)
    except RequestFailed as failure:
        samples = [Sample("", "", explanation=str(failure), reasons=(failure.reason,))]
    return [_row(sample, cell, plan, teacher.name) for sample in samples]


def _why_missed(outcome: Outcome) -> str:
    """Why a plan that has come to an end is not at its target; "" where it is."""
    accepted, cells = f"{outcome.accepted} of {outcome.accepted_target} accepted", f"after {outcome.cells} cells"
    if outcome.accepted_target is None:
        return "" if outcome.done else f"generation.samples: the space of cells is used up {cells}"
    if outcome.accepted >= outcome.accepted_target:
        return ""
    if outcome.done:
        return f"generation.accepted: {accepted} {cells}, and generation.samples is reached"
    if not outcome.hopeless:
        return f"generation.accepted: {accepted} {cells}, and the space of cells is used up"
    return (
        f"generation.accepted: {accepted} {cells}, fewer than one in {HOPELESS}: report.html says why rows fall; set "
        "generation.samples, a cap on cells, to go on all the same"
    )


async def _run(
    workspace: Workspace, plan: Plan, teacher: Teacher, grading: Grading | None, outcome: Outcome, report: Report
) -> None:
    config = workspace.config
    shard_cells = max(1, config.generation.shard_rows // config.generation.generations)
    committer = Committer(workspace.samples, plan.fingerprint, shard_cells, workspace.grades if grading else None)
    usage, rules = workspace.usage, load_rules(config)
    found, finished, spent_before = outcome.accepted, 0, usage.spent_share
    left = None if outcome.samples_cap is None else outcome.samples_cap - outcome.cells
    duplicates = Duplicates(workspace, plan, rules.overrides, behind=True)

    async def make(cell: Cell) -> Made:
        return await make_rows(cell, plan, teacher, rules, grading)

    def note(made: Made) -> None:
        nonlocal found, finished
        found += made.accepted
        finished += 1

    def row_share() -> float:
        """The share of the budget that a row takes, going by the rows of this call."""
        return (usage.spent_share - spent_before) / finished if finished else 0.0

    def still_needed() -> int | None:
        bounds = [] if outcome.accepted_target is None else [outcome.accepted_target - found]
        if row_share():
            bounds.append(int((1 - usage.spent_share) / row_share()))
        return min(bounds, default=None)

    at_once = made_at_once(config, plan)
    rows_in_order = in_order(
        next_cells(workspace.samples, plan, committer.stop, left),
        make,
        at_once,
        lead=max(8 * at_once, 2 * shard_cells),
        still_needed=still_needed,
        finished=note,
    )

    def commit() -> None:
        duplicates.sync()
        committer.commit()  # in this thread: a Ctrl-C must not meet a commit half way

    gc.freeze()  # what the imports left does not die: looking through it again and again cost a sixth of a row's time
    try:
        async with aclosing(rows_in_order):
            async for made in rows_in_order:
                rows = duplicates.over(made.rows)
                found -= made.accepted and not _accepted(rows)
                committer.add(rows[0]["index"], rows, _accepted(rows), made.gradings)
                outcome.cells += 1
                outcome.accepted += _accepted(rows)
                report(outcome)
                if committer.full:
                    commit()
                if outcome.hopeless:
                    break
    finally:
        gc.unfreeze()
        commit()
        duplicates.close()
    if not outcome.done and not outcome.hopeless and (reason := usage.met(row_share())):
        raise BudgetMet(reason)


def _accepted(rows: list[dict[str, Any]]) -> bool:
    return any(row["verdict"] == "accepted" for row in rows)


def next_cells(store: ShardStore, plan: Plan, start: int, count: int | None) -> Iterator[Cell]:
    """Cells of the plan from position `start`, without those that another plan has tried; at most `count`."""
    tried = _tried(store, plan.fingerprint)
    for cell in plan.combinations.cells(start):
        if count is not None and count <= 0:
            return
        if len(tried) and _is_in(tried, cell):
            continue
        yield cell
        if count is not None:
            count -= 1


def _is_in(tried: np.ndarray, cell: Cell) -> bool:
    key = np.uint64(int(cell.key, 16))
    place = np.searchsorted(tried, key)
    return bool(place < len(tried) and tried[place] == key)


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
        difficulty=cell.difficulty,
        length=cell.length,
        language=cell.language,
        parent=cell.parent and cell.parent.row,
        operator=cell.parent and cell.parent.operator,
        teacher=teacher,
        prompts=plan.generator.prompts,
        seed=cell.seed,
        split=cell.split,
    )
