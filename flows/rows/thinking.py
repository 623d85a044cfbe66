"""Fill in what the teacher thought in rows of earlier versions, which did not keep it, from the reply journal.

No request is sent. A row whose replies are not in the journal any more stays as it is.
"""

import pyarrow as pa

from skillmill.data.reasons import TRANSPORT
from skillmill.data.records import KEPT_DRAFT, SCHEMA_VERSION, GradingRow, Sample, SampleRow, text_of
from skillmill.flows.plan import Plan
from skillmill.flows.rows.redecide import FilterOutcome, rewrite_shards
from skillmill.flows.runtime.workspace import Workspace
from skillmill.teachers.base import Reply, Request, RequestFailed
from skillmill.teachers.build import teacher_name
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


async def refill_thinking(workspace: Workspace, plan: Plan) -> int:
    """Make the rows of earlier versions again from the journal, for their thinking; return how many rows it filled.

    Such a row then has the bytes of a row of this version. Raises `StoreError`.
    """
    if not any(_lacks_thinking(table) for table in workspace.samples.tables([plan.fingerprint], ["schema_version"])):
        return 0
    teacher_config = workspace.config.teacher
    journal = workspace.journal.of_plan(plan.fingerprint)
    teacher = Journalled(NoTeacher(teacher_name(teacher_config)), journal, teacher_config.extra_body)
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


def _lacks_thinking(table: pa.Table) -> bool:
    return any(version < WITH_THINKING for version in table["schema_version"].to_pylist())


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
