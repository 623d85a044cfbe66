"""Fill in what the teacher thought in rows of earlier versions, which did not keep it, from the reply journal.

No request is sent. A row whose replies are not in the journal any more stays as it is.
"""

from collections.abc import Callable, Iterable

import orjson

from skillmill.data.reasons import TRANSPORT
from skillmill.data.records import KEPT_DRAFT, SCHEMA_VERSION, GradingRow, Sample, SampleRow, text_of
from skillmill.flows.plan import Plan
from skillmill.flows.rows.redecide import FilterOutcome, rewrite_shards
from skillmill.flows.runtime.workspace import Workspace
from skillmill.teachers.base import Reply, Request, RequestFailed
from skillmill.teachers.middleware.journal import Journalled

WITH_THINKING = 4
"""The first version of the columns that has thinking."""


class NoTeacher:
    """A teacher that answers nothing, so that only the journal in front of it does."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def chat(self, request: Request) -> Reply:
        """Raise `RequestFailed`."""
        raise RequestFailed(TRANSPORT, "the reply is not in the journal")


async def refill_plans(workspace: Workspace, names: Iterable[str], plan_of: Callable[[str], Plan | None]) -> int:
    """Refill the thinking of the rows of some plans, given by their fingerprints; return how many rows it filled.

    `plan_of` returns a plan with the settings that it was generated with; it is called for plans with rows of earlier
    versions. The rows of a plan that it does not know stay as they are. Raises `StoreError`.
    """
    filled = 0
    for name in names:
        if _lacks_thinking(workspace, name) and (plan := plan_of(name)):
            filled += await refill_thinking(workspace, plan)
    return filled


async def refill_thinking(workspace: Workspace, plan: Plan) -> int:
    """Make the rows of earlier versions again from the journal, for their thinking; return how many rows it filled.

    Such a row then has the bytes of a row of this version. Raises `StoreError`.
    """
    name, extra_body = plan.parts["teacher.model"], orjson.loads(plan.parts["teacher.extra_body"])
    teacher = Journalled(NoTeacher(name), workspace.journal.of_plan(plan.fingerprint), extra_body)
    filled = 0

    async def made_again(index: int) -> dict[int, Sample]:
        cell = plan.combinations[index]
        assert cell is not None, "a stored row has a cell"
        try:
            return {sample.generation: sample for sample in await plan.generator.make(cell, teacher)}
        except RequestFailed:
            return {}

    async def fill_shard(rows: list[SampleRow], gradings: list[GradingRow]) -> tuple[list[SampleRow], list[GradingRow]]:
        nonlocal filled
        old = {row["index"] for row in rows if row["schema_version"] < WITH_THINKING}
        samples = {index: await made_again(index) for index in sorted(old)}
        after = [_filled(row, samples.get(row["index"], {}).get(row["generation"])) for row in rows]
        filled += sum(new["schema_version"] != row["schema_version"] for new, row in zip(after, rows, strict=True))
        return after, gradings

    await rewrite_shards(workspace, plan, fill_shard, FilterOutcome())
    return filled


def _lacks_thinking(workspace: Workspace, name: str) -> bool:
    tables = workspace.samples.tables([name], ["schema_version"])
    return any(version < WITH_THINKING for table in tables for version in table["schema_version"].to_pylist())


def _filled(row: SampleRow, sample: Sample | None) -> SampleRow:
    """Return the row with the thinking of the sample, if both have the same answer."""
    if sample is None or row["schema_version"] >= WITH_THINKING:
        return row
    if row["kept"] == KEPT_DRAFT:
        sample = sample.exchanged()
    if sample.response != text_of(row["completion"]):
        return row
    thinking = {"thinking": sample.thinking, "draft_thinking": sample.draft_thinking}
    return {**row, **thinking, "schema_version": SCHEMA_VERSION}  # type: ignore[typeddict-item]
