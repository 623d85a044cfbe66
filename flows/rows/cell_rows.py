"""Generate and decide the rows of one cell."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from skillmill.data.reasons import UNANSWERED
from skillmill.data.records import GradingRow, Sample, SampleRow, sample_row
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan
from skillmill.flows.rows.decide import Rules, decide
from skillmill.flows.rows.grading import GradingSetup, open_grading
from skillmill.flows.runtime.filter_workers import filter_workers
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import RequestFailed, Teacher
from skillmill.teachers.build import open_teacher
from skillmill.teachers.middleware.accounting import Usage
from skillmill.teachers.middleware.journal import Journal


@dataclass(frozen=True)
class CellRows:
    """The decided rows of one cell, and the gradings of those that were graded."""

    rows: list[SampleRow]
    gradings: list[GradingRow]

    @property
    def accepted(self) -> bool:
        """Whether a row is accepted."""
        return any_accepted(self.rows)

    @property
    def unanswered(self) -> bool:
        """Whether the cell got no reply."""
        return is_unanswered(self.rows[0]["reasons"])


Make = Callable[[Cell], Awaitable[CellRows]]
"""A function that generates and decides the rows of a cell."""


def is_unanswered(reasons: Iterable[str]) -> bool:
    """Return whether a row with these reasons stands for a cell that got no reply."""
    return not UNANSWERED.isdisjoint(reasons)


def any_accepted(rows: list[SampleRow]) -> bool:
    """Return whether a row is accepted."""
    return any(row["verdict"] == "accepted" for row in rows)


@asynccontextmanager
async def open_make(config: Config, plan: Plan, journal: Journal, usage: Usage, rules: Rules) -> AsyncIterator[Make]:
    """Open teacher, grader and filter processes; yield the function that generates and decides the rows of a cell."""
    async with (
        open_teacher(config.teacher, journal, usage) as teacher,
        open_grading(config, plan, journal, usage, teacher) as grading,
        filter_workers(rules.filters, config.runner.workers) as workers,
    ):
        beside = replace(rules, workers=workers)

        async def make(cell: Cell) -> CellRows:
            return await generate_cell(cell, plan, teacher, beside, grading)

        yield make


async def generate_cell(
    cell: Cell, plan: Plan, teacher: Teacher, rules: Rules, grading: GradingSetup | None = None
) -> CellRows:
    """Generate and decide the rows of one cell."""
    samples = await generate_samples(cell, plan, teacher)
    decided = [await decide(each, new_row(each, cell, plan, teacher.name), cell, rules, grading) for each in samples]
    return CellRows([row for row, _ in decided], [grading for _, of_row in decided for grading in of_row])


async def generate_samples(cell: Cell, plan: Plan, teacher: Teacher) -> list[Sample]:
    """Generate the samples of one cell; a cell without a reply is one sample with the reason of the failure."""
    try:
        return await plan.generator.make(cell, teacher)
    except RequestFailed as failure:
        return [Sample("", "", explanation=str(failure), reasons=(failure.reason,))]


def new_row(sample: Sample, cell: Cell, plan: Plan, teacher: str) -> SampleRow:
    """Return the row of a sample before any filter has decided it."""
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
        parent=cell.parent.row if cell.parent else None,
        operator=cell.parent.operator if cell.parent else None,
        teacher=teacher,
        prompts=plan.generator.prompts,
        seed=cell.seed,
        split=cell.split,
    )
