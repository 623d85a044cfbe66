"""Decide stored rows again, by filters, grading or overrides that changed, and ask again for cells without a reply.

A row that is decided or generated again has the same bytes as in a fresh run with the new settings.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from skillmill.data.records import GradingRow, SampleRow, sample_of
from skillmill.data.store import gradings_of
from skillmill.filters.overrides import Overrides
from skillmill.flows.plan import Plan
from skillmill.flows.rows.cell_rows import generate_cell, is_unanswered
from skillmill.flows.rows.decide import Rules, decide
from skillmill.flows.rows.duplicates import Duplicates
from skillmill.flows.rows.generate import count_unanswered
from skillmill.flows.rows.grading import (
    GradingSetup,
    asks_a_model,
    generated_at_once,
    graded_at_once,
    open_grading,
)
from skillmill.flows.runtime.filter_workers import filter_workers
from skillmill.flows.runtime.in_order import in_order
from skillmill.flows.runtime.workspace import Workspace
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import Teacher
from skillmill.teachers.build import open_teacher
from skillmill.teachers.middleware.accounting import BudgetMet
from skillmill.teachers.middleware.refusals import TeacherRefuses

log = logging.getLogger(__name__)

DecidedRow = tuple[list[SampleRow], list[GradingRow]]
"""The rows to store instead of one row, and their gradings."""
DecideShard = Callable[[list[SampleRow], list[GradingRow]], Awaitable[DecidedRow]]
"""A function from the rows of a shard and their gradings to the rows and gradings to store instead."""


@dataclass
class FilterOutcome:
    """Counts of a pass over stored rows; `cells` and `accepted` count cells, the others rows."""

    rows: int = 0
    newly_accepted: int = 0
    newly_rejected: int = 0
    cells: int = 0
    accepted: int = 0
    shards: int = 0
    """Shards that were rewritten; a shard without a change is left alone."""
    stopped: str = ""
    """The reason of the budget that ended the pass; later shards are unchanged. Empty if none did."""


async def redecide(
    workspace: Workspace,
    plan: Plan,
    rules: Rules,
    same_grader: bool,
    outcome: FilterOutcome,
    teacher: Teacher | None = None,
) -> None:
    """Decide the stored rows of the plan by `rules`; `outcome` is kept up to date.

    Rows that need a grade are graded. The grader's replies come from `grades/` if they are of the `same_grader`, else
    from the journal, else from the grader. With a `teacher`, cells that got no reply are generated again.
    """
    config = workspace.config
    duplicates = Duplicates(workspace, plan, rules.overrides, own_shards=False)
    try:
        journal = workspace.journal.of_plan(plan.fingerprint)
        async with (
            filter_workers(rules.filters, config.runner.workers) as workers,
            open_grading(config, plan, journal, workspace.usage, lazy=True) as grading,
        ):
            beside = replace(rules, workers=workers)
            ask = None if teacher is None else _asking_again(workspace, plan, teacher, beside)
            if teacher is not None:
                at_once = generated_at_once(config, plan)
            else:
                at_once = graded_at_once(config) if asks_a_model(config, plan) else workers.samples_at_once

            async def decide_shard(rows: list[SampleRow], gradings: list[GradingRow]) -> DecidedRow:
                replies = known_replies(gradings) if same_grader else {}

                async def decide_row(row: SampleRow) -> DecidedRow:
                    cell = plan.combinations[row["index"]]
                    assert cell is not None, "a stored row has a cell"
                    if ask is not None and is_unanswered(row["reasons"]):
                        made = await ask(cell, grading)
                        if made is not None:
                            return made
                    decided, of_row = await decide(sample_of(row), row, cell, beside, grading, replies.get(row["id"]))
                    return [decided], of_row

                decided = [each async for each in in_order(rows, decide_row, at_once, lead=8 * at_once)]
                new_rows = duplicates.mark(list(chain.from_iterable(of_cell for of_cell, _ in decided)))
                duplicates.sync()
                if grading is None:
                    return new_rows, _of_same_answers(gradings, rows, new_rows)
                return new_rows, [each for _, of_row in decided for each in of_row]

            await rewrite_shards(workspace, plan, decide_shard, outcome, graded=grading is not None)
    except BudgetMet as met:
        outcome.stopped = met.reason
    finally:
        duplicates.close()


async def ask_again(workspace: Workspace, plan: Plan, rules: Rules, outcome: FilterOutcome) -> None:
    """Generate the cells of the plan that got no reply again, in their places; `outcome` is kept up to date.

    The other rows are decided again, because a new row may be the one that a later row repeats. Raises `TeacherError`
    as `generate` does.
    """
    journal = workspace.journal.of_plan(plan.fingerprint)
    async with open_teacher(workspace.config.teacher, journal, workspace.usage) as teacher:
        await redecide(workspace, plan, rules, True, outcome, teacher)


def _asking_again(
    workspace: Workspace, plan: Plan, teacher: Teacher, rules: Rules
) -> Callable[[Cell, GradingSetup | None], Awaitable[DecidedRow | None]]:
    """Return a function that generates a cell again; it returns None from the refusal of everything on.

    If the plan has rows of cells that got a reply, such a refusal is logged: those cells are refused each on its own.
    Otherwise the error is raised.
    """
    cells = sum(shard.cells for shard in workspace.samples.of_plan(plan.fingerprint))
    has_answers = cells > count_unanswered(workspace.samples, plan.fingerprint)
    refused = False

    async def ask(cell: Cell, grading: GradingSetup | None) -> DecidedRow | None:
        nonlocal refused
        if refused:
            return None
        try:
            made = await generate_cell(cell, plan, teacher, rules, grading)
        except TeacherRefuses as refusal:
            if not has_answers:
                raise
            if not refused:
                log.warning("warning: the cells without an answer stay so: %s", refusal)
            refused = True
            return None
        return made.rows, made.gradings

    return ask


async def apply_overrides(workspace: Workspace, plan: Plan, overrides: Overrides) -> FilterOutcome:
    """Apply overrides to the stored rows of the plan; reasons of filters and grades stay."""

    async def decide_shard(rows: list[SampleRow], gradings: list[GradingRow]) -> DecidedRow:
        return [overrides.apply(row) for row in rows], gradings

    outcome = FilterOutcome()
    await rewrite_shards(workspace, plan, decide_shard, outcome)
    return outcome


def known_replies(gradings: list[GradingRow]) -> dict[str, dict[int, str]]:
    """Return the grader's replies by row id and run; a request without a reply is left out."""
    replies: dict[str, dict[int, str]] = {}
    for grading in gradings:
        if grading["raw"] is not None:
            replies.setdefault(grading["id"], {})[grading["run"]] = grading["raw"]
    return replies


def _of_same_answers(gradings: list[GradingRow], before: list[SampleRow], after: list[SampleRow]) -> list[GradingRow]:
    """Return the gradings without those of rows whose answer changed from the refined one to the draft or back."""
    kept = {row["id"]: row["kept"] for row in before}
    changed = {row["id"] for row in after if row["kept"] != kept.get(row["id"], row["kept"])}
    return [grading for grading in gradings if grading["id"] not in changed]


def overrides_without_effect(workspace: Workspace, plan: Plan, overrides: Overrides) -> list[str]:
    """Return one line for each override of a row that is not in the plan or that has no answer to accept."""
    if not overrides.by_id:
        return []
    has_answer: dict[str, bool] = {}
    for table in workspace.samples.tables([plan.fingerprint], ["id", "completion"]):
        for row in table.to_pylist():
            if row["id"] in overrides.by_id:
                has_answer[row["id"]] = bool(row["completion"])
    lines = []
    for row_id, override in overrides.by_id.items():
        where = f"overrides.jsonl:{overrides.lines[row_id]}"
        if row_id not in has_answer:
            lines.append(f"{where}: no row {row_id} in this plan")
        elif override.verdict == "accepted" and not has_answer[row_id]:
            lines.append(f"{where}: row {row_id} has no answer, it stays rejected")
    return lines


async def rewrite_shards(
    workspace: Workspace, plan: Plan, decide_shard: DecideShard, outcome: FilterOutcome, graded: bool = False
) -> None:
    """Decide the stored rows shard by shard in index order, with one commit a shard.

    Gradings are committed before their rows, as `ShardWriter` does. In a `graded` run every shard has a shard of
    gradings, even an empty one.
    """
    store, grades = workspace.samples, workspace.grades
    for shard in store.of_plan(plan.fingerprint):
        stored: Any = store.rows(shard).to_pylist()
        before: list[SampleRow] = stored
        known = gradings_of(before, shard, grades)
        after, gradings = await decide_shard(before, known)
        accepted = len({row["index"] for row in after if row["verdict"] == "accepted"})
        where = (plan.fingerprint, shard.start, shard.stop)
        grade_shard = grades.at(plan.fingerprint, shard.start)
        if gradings != known or (grade_shard and after != before) or (graded and not grade_shard):
            grades.commit(*where, gradings, shard.cells, accepted)
        if after != before:
            store.commit(*where, after, shard.cells, accepted)
            outcome.shards += 1
        _count_changes(outcome, before, after)
        outcome.cells += shard.cells
        outcome.accepted += accepted
        await asyncio.sleep(0)  # lets Ctrl-C in between two shards
    grades.tidy()
    store.tidy()


def _count_changes(outcome: FilterOutcome, before: list[SampleRow], after: list[SampleRow]) -> None:
    verdicts = {row["id"]: row["verdict"] for row in before}
    for new in after:
        if verdicts.get(new["id"], "rejected") != new["verdict"]:
            outcome.newly_accepted += new["verdict"] == "accepted"
            outcome.newly_rejected += new["verdict"] == "rejected"
    outcome.rows += len(after)
