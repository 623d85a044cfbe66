"""Make preference pairs: for each accepted row, worse answers to the same prompt."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Any

import orjson

from skillmill.data.export.sft_rows import sft_rows
from skillmill.data.records import PairRow, SampleRow
from skillmill.filters.grading import comparison
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan
from skillmill.flows.rows.grading import grader_config
from skillmill.flows.runtime.in_order import in_order, rows_at_once
from skillmill.flows.runtime.shard_writer import ShardWriter
from skillmill.flows.runtime.workspace import Workspace
from skillmill.generators.pairs import shirkers
from skillmill.generators.pairs.config import PairsConfig
from skillmill.generators.pairs.pairs import build_pairs
from skillmill.generators.pairs.sources import PairModel, PairModels
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.teachers.base import Teacher
from skillmill.teachers.build import open_teacher, teacher_name
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.middleware.accounting import Usage
from skillmill.teachers.middleware.journal import Journal


def pairs_plan(plan: Plan, config: Config) -> str:
    """Return the fingerprint of the pairs: it covers the plan, `pairs`, the prompts and the models that answer."""
    pairs = config.pairs
    parts = [plan.fingerprint, pairs.model_dump(mode="json", exclude={"student"}), shirkers.shirker_fingerprint()]
    if student := pair_models(config).get("student"):
        parts.append(_model_settings(student))
    if pairs.check == "always":
        parts += [comparison.comparison_fingerprint(), _model_settings(grader_config(config))]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]


def pair_models(config: Config) -> dict[str, TeacherConfig]:
    """Return the settings of the models that pairs need, by their field of `PairModels`."""
    pairs, models = config.pairs, dict[str, TeacherConfig]()
    if "teacher" in pairs.roles:
        models["teacher"] = config.teacher
    if "student" in pairs.roles and pairs.student is not None:
        models["student"] = pairs.student
    if "grader" in pairs.roles:
        models["grader"] = grader_config(config)
    return models


@asynccontextmanager
async def open_pair_models(
    config: Config, journal: Journal, usage: Usage, teacher: Teacher | None = None
) -> AsyncIterator[PairModels]:
    """Open the models that pairs need for the length of the block; `teacher` is used if it is open already."""
    by_section, by_role = dict[str, PairModel](), dict[str, PairModel]()
    if teacher is not None:
        by_section["teacher"] = PairModel(teacher, config.teacher.sampling)
    async with AsyncExitStack() as stack:
        for role, settings in pair_models(config).items():
            section = settings.section
            if section not in by_section:
                model = await stack.enter_async_context(open_teacher(settings, journal, usage))
                by_section[section] = PairModel(model, settings.sampling)
            by_role[role] = by_section[section]
        yield PairModels(**by_role)


@dataclass
class PairsOutcome:
    """Counts of one call: rows that were paired, pairs made, pairs dropped by reason."""

    rows: int = 0
    pairs: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    """The reason of the budget that ended the call, "" if none did."""


async def make_pairs(workspace: Workspace, plan: Plan, outcome: PairsOutcome) -> None:
    """Make the pairs of every accepted row that has none yet; `outcome` is kept up to date."""
    config = workspace.config
    writer = ShardWriter[PairRow](workspace.pairs, pairs_plan(plan, config), config.generation.shard_rows)
    rows = _rows_without_pairs(workspace, plan, writer.stop)
    first = next(rows, None)
    if first is None:
        return
    async with open_pair_models(config, workspace.journal.of_plan(plan.fingerprint), workspace.usage) as models:

        async def make(row_and_cell: tuple[SampleRow, list[SampleRow]]) -> tuple[int, list[PairRow]]:
            row, cell = row_and_cell
            return row["index"], await build_pairs(row, cell, config.pairs, config.filters.shirker, models)

        def add(made: tuple[int, list[PairRow]]) -> None:
            index, pairs = made
            dropped = [pair["reason"] for pair in pairs if pair["reason"] is not None]
            writer.add(index, pairs, len(dropped) < len(pairs))
            outcome.dropped.update(dropped)
            outcome.pairs += len(pairs) - len(dropped)
            outcome.rows += 1

        at_once = rows_at_once(max((each.max_in_flight for each in pair_models(config).values()), default=1))
        pairs_in_order = in_order(chain([first], rows), make, at_once, lead=8 * at_once)
        outcome.stopped = await writer.commit_all(pairs_in_order, add)
    workspace.pairs.tidy()


def is_paired(row: SampleRow, config: PairsConfig) -> bool:
    """Return whether an accepted row belongs to the share that gets pairs; its seed decides."""
    return derived_seed("share", row["seed"]) < config.share * 2**31


def with_their_cells(rows: list[SampleRow]) -> Iterator[tuple[SampleRow, list[SampleRow]]]:
    """Yield the `sft` rows among the rows of whole cells, each with all rows of its cell."""
    for _, of_cell in groupby(rows, key=lambda row: row["index"]):
        cell = list(of_cell)
        for row in sft_rows(cell):
            yield row, cell


def _model_settings(config: TeacherConfig) -> list[Any]:
    """Return the settings of a model that change its answers."""
    return [teacher_name(config), config.sampling.model_dump(), config.extra_body]


def _rows_without_pairs(workspace: Workspace, plan: Plan, start: int) -> Iterator[tuple[SampleRow, list[SampleRow]]]:
    """Yield the accepted rows of the share from position `start` on, each with all rows of its cell."""
    for shard in workspace.samples.of_plan(plan.fingerprint):
        if shard.stop <= start:
            continue
        for row, cell in with_their_cells(workspace.samples.rows(shard).to_pylist()):
            if row["index"] >= start and is_paired(row, workspace.config.pairs):
                yield row, cell
