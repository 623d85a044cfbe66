"""Make the stress set: a share of the `sft` answers is replaced by low-effort ones.

Training on it measures what low-effort answers cost a student (Instruct-SkillMix, arXiv 2408.14774, section 4). The
answers are requested in the pairs step; an answer that a pair needs too comes from the journal.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import get_args

import orjson

from skillmill.data.export.config import StressConfig
from skillmill.data.export.sft_rows import sft_rows
from skillmill.data.records import SampleRow, StressAnswerRow, text_of
from skillmill.flows.plan import Plan
from skillmill.flows.runtime.in_order import in_order, rows_at_once
from skillmill.flows.runtime.shard_writer import ShardWriter
from skillmill.flows.runtime.workspace import Workspace
from skillmill.generators.pairs import shirkers
from skillmill.generators.pairs.shirkers import ShirkerKind, shirker_answer
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.teachers.base import RequestFailed, Sampling, Teacher
from skillmill.teachers.build import open_teacher

COLUMNS_OF_CHOICE = ["id", "index", "generation", "verdict", "grade"]
"""The columns that decide which rows are `sft` rows."""


@dataclass
class StressOutcome:
    """How many answers are to be replaced, and how many have a replacement."""

    wanted: int = 0
    replaced: int = 0
    without: int = 0
    """Rows that keep their answer because the teacher gave no replacement."""
    stopped: str = ""
    """The reason of the budget that ended the call, "" if none did."""


def draw_replacements(ids: Iterable[str], stress: StressConfig, seed: int) -> dict[str, ShirkerKind]:
    """Draw the share of rows to replace; return the kind of each replacement by row id.

    Every kind of stress set draws the same rows, so that kinds can be compared.
    """
    order = sorted(ids, key=lambda row: (derived_seed("stress", seed, row), row))
    kinds: tuple[ShirkerKind, ...] = get_args(ShirkerKind) if stress.kind == "both" else (stress.kind,)
    return {row: kinds[place % len(kinds)] for place, row in enumerate(order[: round(stress.share * len(order))])}


def wanted_replacements(workspace: Workspace, plan: Plan) -> dict[str, ShirkerKind]:
    """Draw the replacements among the `sft` rows as they are decided now."""
    stress = workspace.config.export.stress
    assert stress is not None
    tables = workspace.samples.tables([plan.fingerprint], COLUMNS_OF_CHOICE)
    ids = [row["id"] for table in tables for row in sft_rows(table.to_pylist())]
    return draw_replacements(ids, stress, workspace.config.seed)


def stress_plan(plan: Plan, replacements: dict[str, ShirkerKind]) -> str:
    """Return the fingerprint of a stress set: which rows are replaced, and with what."""
    parts = [plan.fingerprint, sorted(replacements.items()), shirkers.shirker_fingerprint()]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]


async def make_stress(
    workspace: Workspace, plan: Plan, name: str, replacements: dict[str, ShirkerKind], outcome: StressOutcome
) -> None:
    """Request the replacements that the shards `name` do not hold yet; `outcome` is kept up to date."""
    config, outcome.wanted = workspace.config, len(replacements)
    writer = ShardWriter[StressAnswerRow](workspace.stress, name, config.generation.shard_rows)
    texts = [row["text"] for table in workspace.stress.tables([name], ["text"]) for row in table.to_pylist()]
    outcome.replaced, outcome.without = len(texts) - texts.count(""), texts.count("")
    rows = _rows_without_replacement(workspace, plan, writer.stop, replacements)
    first = next(rows, None)
    if first is None:
        return
    journal = workspace.journal.of_plan(plan.fingerprint)
    async with open_teacher(config.teacher, journal, workspace.usage) as teacher:

        async def make(row: SampleRow) -> StressAnswerRow:
            return await request_replacement(row, replacements[row["id"]], teacher, config.teacher.sampling)

        def add(made: StressAnswerRow) -> None:
            writer.add(made["index"], [made], bool(made["text"]))
            outcome.replaced += bool(made["text"])
            outcome.without += not made["text"]

        at_once = rows_at_once(config.teacher.max_in_flight)
        answers = in_order(chain([first], rows), make, at_once, lead=8 * at_once)
        outcome.stopped = await writer.commit_all(answers, add)
    workspace.stress.tidy()


async def request_replacement(
    row: SampleRow, kind: ShirkerKind, teacher: Teacher, sampling: Sampling
) -> StressAnswerRow:
    """Request a low-effort answer with the same request as the pairs send; the text is "" if there is no reply."""
    seed = derived_seed(row["seed"], kind)
    try:
        text = (await shirker_answer(kind, row["kind"], text_of(row["prompt"]), teacher, sampling, seed)).text
    except RequestFailed:
        text = ""
    return {"row": row["id"], "index": row["index"], "source": kind, "text": text}


def _rows_without_replacement(
    workspace: Workspace, plan: Plan, start: int, replacements: dict[str, ShirkerKind]
) -> Iterator[SampleRow]:
    """Yield the drawn rows of the plan from position `start` on."""
    for shard in workspace.samples.of_plan(plan.fingerprint):
        if shard.stop > start:
            for row in workspace.samples.rows(shard).to_pylist():
                if row["index"] >= start and row["id"] in replacements:
                    yield row
