"""Generate the rows of a plan up to its target."""

import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skillmill.data.errors import TeacherError
from skillmill.data.freed import freed_cells
from skillmill.data.records import SampleRow
from skillmill.data.store import ShardStore
from skillmill.filters.overrides import Overrides
from skillmill.flows.lanes.lanes import count_lanes, open_lanes
from skillmill.flows.plan import Plan
from skillmill.flows.rows.cell_rows import CellRows, Make, any_accepted, is_unanswered, open_make
from skillmill.flows.rows.decide import Rules, load_rules
from skillmill.flows.rows.duplicates import Duplicates
from skillmill.flows.rows.grading import asks_a_model, generated_at_once
from skillmill.flows.rows.reason_warning import ReasonWarning
from skillmill.flows.runtime.in_order import in_order
from skillmill.flows.runtime.shard_writer import ShardWriter
from skillmill.flows.runtime.workspace import Workspace
from skillmill.skill_taxonomy.cells import Cell

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

Report = Callable[["GenerateOutcome"], None]

HOPELESS = 200
"""A run without `generation.samples` ends if fewer than one in this many cells is accepted."""


@dataclass(frozen=True)
class Start:
    """What the plan had when a refresh began, and the least share of accepted cells among those generated since.

    The refresh ends if the share is smaller after `HOPELESS` cells, with or without a cap on cells.
    """

    cells: int
    accepted: int
    least_share: float


@dataclass
class GenerateOutcome:
    """How far a plan has come."""

    cells: int = 0
    accepted: int = 0
    unanswered: int = 0
    """Cells that got no reply. The same command asks for them again."""
    samples_cap: int | None = None
    accepted_target: int | None = None
    missed: str = ""
    """Why the plan cannot reach its target, "" if it did or still can."""
    stopped: str = ""
    """The reason of the budget that ended the run, "" if none did."""
    start: Start | None = None

    @property
    def done(self) -> bool:
        """Whether the target is met or the cap on cells is reached."""
        if self.accepted_target is not None and self.accepted >= self.accepted_target:
            return True
        return self.samples_cap is not None and self.cells >= self.samples_cap

    @property
    def hopeless(self) -> bool:
        """Whether too few of the answered cells are accepted to go on."""
        answered = self.cells - self.unanswered
        if self.start is None:
            return self.samples_cap is None and answered >= HOPELESS and self.accepted * HOPELESS < answered
        new, accepted = answered - self.start.cells, self.accepted - self.start.accepted
        return new >= HOPELESS and accepted / new < self.start.least_share


def count_unanswered(store: ShardStore, plan: str) -> int:
    """Return how many stored cells of a plan got no reply; such a cell has one row."""
    return sum(is_unanswered(reasons) for table in store.tables([plan], ["reasons"]) for reasons in _reasons(table))


async def generate(
    workspace: Workspace,
    plan: Plan,
    report: Report = lambda _: None,
    start: Start | None = None,
    first: int = 0,
    cell_share: float = 0.0,
) -> GenerateOutcome:
    """Generate rows until the plan meets its target, starting from the rows that its shards hold.

    `start` is given in a refresh. `first` is the position of the first cell, if the rest is generated elsewhere.
    `cell_share` is the share of the budget that a cell may take, before one has ended; 0 if it is not known.

    The rows decided so far are committed whatever ends the run: Ctrl-C, a budget, a teacher that fails. `report` is
    called with the outcome so far at the start and after every cell.
    """
    store, generation = workspace.samples, workspace.config.generation
    shards = store.of_plan(plan.fingerprint)
    outcome = GenerateOutcome(
        start=start,
        cells=sum(shard.cells for shard in shards),
        accepted=sum(shard.accepted for shard in shards),
        unanswered=count_unanswered(store, plan.fingerprint),
        samples_cap=generation.samples,
        accepted_target=generation.accepted,
    )
    report(outcome)
    if not outcome.done and not outcome.hopeless:
        rules = load_rules(workspace.config)
        async with _open_make(workspace, plan, rules, outcome) as make:
            await _generate_cells(workspace, plan, make, rules.overrides, outcome, report, first, cell_share)
    outcome.missed = "" if outcome.stopped else _why_missed(outcome)
    workspace.grades.tidy()
    store.tidy()
    return outcome


def _open_make(
    workspace: Workspace, plan: Plan, rules: Rules, outcome: GenerateOutcome
) -> AbstractAsyncContextManager[Make]:
    """Open lanes if they pay off, otherwise teacher, grader and filter processes of this process."""
    config, usage = workspace.config, workspace.usage
    target = outcome.accepted_target if outcome.samples_cap is None else outcome.samples_cap
    left = None if target is None else target - outcome.cells
    lanes = count_lanes(config, asks_a_model(config, plan), left)
    if lanes > 1:
        return open_lanes(config, plan.fingerprint, rules.filters, rules.overrides, usage, lanes)
    return open_make(config, plan, workspace.journal.of_plan(plan.fingerprint), usage, rules)


def next_cells(store: ShardStore, plan: Plan, start: int, count: int | None) -> Iterator[Cell]:
    """Yield at most `count` cells of the plan from position `start`, without those that another plan has tried.

    A cell that got no reply has not been tried.
    """
    tried = tried_keys(store, plan.fingerprint)
    for cell in plan.combinations.cells(start):
        if count is not None and count <= 0:
            return
        if len(tried) and _contains(tried, cell):
            continue
        yield cell
        if count is not None:
            count -= 1


async def _generate_cells(
    workspace: Workspace,
    plan: Plan,
    make: Make,
    overrides: Overrides,
    outcome: GenerateOutcome,
    report: Report,
    first: int,
    cell_share: float,
) -> None:
    config, usage = workspace.config, workspace.usage
    duplicates = Duplicates(workspace, plan, overrides, own_shards=True)
    shard_cells = config.generation.shard_cells
    grades = workspace.grades if config.grading.when != "never" else None
    writer = ShardWriter[SampleRow](workspace.samples, plan.fingerprint, shard_cells, grades, duplicates.sync)
    warning = ReasonWarning()
    accepted, finished, spent_before = outcome.accepted, 0, usage.spent_share

    def count_finished(made: CellRows) -> None:
        nonlocal accepted, finished
        accepted += made.accepted
        finished += 1

    def budget_share_of_a_cell() -> float:
        """Return the share of the budget that a cell takes, by the cells of this call."""
        return (usage.spent_share - spent_before) / finished if finished else cell_share

    def still_needed() -> int | None:
        bounds = [] if outcome.accepted_target is None else [outcome.accepted_target - accepted]
        if share := budget_share_of_a_cell():
            bounds.append(int((1 - usage.spent_share) / share))
        return min(bounds, default=None)

    def add(made: CellRows) -> None:
        nonlocal accepted
        rows = duplicates.mark(made.rows)
        is_accepted = any_accepted(rows)
        accepted -= made.accepted and not is_accepted
        writer.add(rows[0]["index"], rows, is_accepted, made.gradings)
        outcome.cells += 1
        outcome.accepted += is_accepted
        outcome.unanswered += made.unanswered
        warning.add(rows)
        report(outcome)

    left = None if outcome.samples_cap is None else outcome.samples_cap - outcome.cells
    at_once = generated_at_once(config, plan)
    cells = in_order(
        next_cells(workspace.samples, plan, max(writer.stop, first), left),
        make,
        at_once,
        lead=max(8 * at_once, 2 * shard_cells),
        still_needed=still_needed,
        finished=count_finished,
    )
    try:
        outcome.stopped = await writer.commit_all(_while_hopeful(_answered(cells, outcome), outcome), add)
        warning.end()
    finally:
        duplicates.close()
    if not outcome.done and not outcome.hopeless:
        outcome.stopped = outcome.stopped or usage.reached_cap(budget_share_of_a_cell())


async def _answered(cells: AsyncGenerator[CellRows, None], outcome: GenerateOutcome) -> AsyncGenerator[CellRows, None]:
    """Yield the cells; those without a reply wait for the next cell with one, or for the regular end.

    So a run that stops because the teacher fails stores no cell that it failed for last. Raises `TeacherError` if no
    cell of the plan got a reply.
    """
    waiting: list[CellRows] = []
    async with aclosing(cells):
        async for cell in cells:
            waiting.append(cell)
            if not cell.unanswered:
                for each in waiting:
                    yield each
                waiting = []
    if waiting and outcome.cells == outcome.unanswered:
        first = waiting[0].rows[0]
        raise TeacherError(
            f"teacher: {first['teacher']} answered none of {len(waiting)} cells: {first['explanation']}; no row is "
            "kept, run again once this is mended"
        )
    for each in waiting:
        yield each


async def _while_hopeful(
    cells: AsyncGenerator[CellRows, None], outcome: GenerateOutcome
) -> AsyncGenerator[CellRows, None]:
    """Yield the cells until the target is hopeless."""
    async with aclosing(cells):
        async for cell in cells:
            yield cell
            if outcome.hopeless:
                return


def _why_missed(outcome: GenerateOutcome) -> str:
    """Return why a plan that came to its end is not at its target, "" if it is."""
    accepted, cells = f"{outcome.accepted} of {outcome.accepted_target} accepted", f"after {outcome.cells} cells"
    used_up = "the space of cells is used up"
    if outcome.unanswered:
        used_up = f"{outcome.unanswered} of them got no answer; run again to ask for them again"
    if outcome.accepted_target is None:
        return "" if outcome.done else f"generation.samples: the space of cells is used up {cells}"
    if outcome.accepted >= outcome.accepted_target:
        return ""
    if outcome.done:
        return f"generation.accepted: {accepted} {cells}, and generation.samples is reached"
    if not outcome.hopeless:
        return f"generation.accepted: {accepted} {cells}, and {used_up}"
    return (
        f"generation.accepted: {accepted} {cells}, fewer than one in {HOPELESS}: report.html says why rows fall; set "
        "generation.samples, a cap on cells, to go on all the same"
    )


def _contains(tried: NDArray[np.uint64], cell: Cell) -> bool:
    key = np.uint64(int(cell.key, 16))
    place = np.searchsorted(tried, key)
    return bool(place < len(tried) and tried[place] == key)


def tried_keys(store: ShardStore, plan: str) -> NDArray[np.uint64]:
    """Return the keys of the cells of other plans that got a reply, in ascending order, 8 bytes a cell.

    Cells of deleted shards count too, whatever plan they were of.
    """
    others = dict.fromkeys(shard.plan for shard in store.shards if shard.plan != plan)
    keys = [
        np.array([int(key, 16) for key in _tried_in(table)], np.uint64)
        for table in store.tables(others, ["cell", "reasons"])
    ]
    return np.sort(np.concatenate([*keys, freed_cells(store.root)]))


def _tried_in(table: "pa.Table") -> Iterator[str]:
    reasons = _reasons(table)
    return (key for key, each in zip(table["cell"].to_pylist(), reasons, strict=True) if not is_unanswered(each))


def _reasons(table: "pa.Table") -> list[list[str]]:
    rows: list[list[str]] = table["reasons"].to_pylist()
    return rows
