"""The pairs step: for each accepted row worse answers to the same prompt, for preference training."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Any, get_args

import orjson

from skillmill.data.export.writing import accepted_cells
from skillmill.filters.grading import comparison
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan
from skillmill.flows.rows.grading import grader_config
from skillmill.flows.runtime.in_order import in_order, rows_at_once
from skillmill.flows.runtime.shard_writer import Committer
from skillmill.flows.runtime.workspace import Workspace
from skillmill.generators.pairs import shirkers
from skillmill.generators.pairs.pairs import AllAsked, Asked, PairsConfig, pairs_of
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.teachers.base import Teacher
from skillmill.teachers.build import open_teacher, teacher_name
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.middleware.accounting import Usage
from skillmill.teachers.middleware.journal import Journal

Row = dict[str, Any]


def pairs_plan(plan: Plan, config: Config) -> str:
    """The fingerprint of the pairs: they change with the rows, with what is asked, and with who answers."""
    pairs = config.pairs
    parts = [plan.fingerprint, pairs.model_dump(mode="json", exclude={"student"}), shirkers.prompts()]
    if "student" in pairs.sources:
        parts.append(_answers(whom(config)["student"]))
    if pairs.check == "always":
        parts += [comparison.prompts(), _answers(grader_config(config))]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]


def _answers(config: TeacherConfig) -> list[Any]:
    """What changes the answers of a model."""
    return [teacher_name(config), config.sampling.model_dump(), config.extra_body]


def whom(config: Config) -> dict[str, TeacherConfig]:
    """Who is asked for pairs, by the field of `AllAsked`; the teacher where no other grader is named."""
    pairs, found = config.pairs, dict[str, TeacherConfig]()
    if pairs.share == 0:
        return found
    if set(pairs.sources) & set(get_args(shirkers.Shirk)):
        found["teacher"] = config.teacher
    if "student" in pairs.sources and pairs.student is not None:
        found["student"] = pairs.student
    if pairs.check == "always":
        found["grader"] = grader_config(config)
    return found


@asynccontextmanager
async def all_asked(
    config: Config, journal: Journal, usage: Usage, teacher: Teacher | None = None
) -> AsyncIterator[AllAsked]:
    """Everybody who is asked for pairs, open for the length of the block; `teacher` where it is open already."""
    sections = {"teacher": "teacher", "student": "pairs.student", "grader": "grader" if config.grader else "teacher"}
    opened, found = dict[str, Asked](), dict[str, Asked]()
    if teacher is not None:
        opened["teacher"] = Asked(teacher, config.teacher.sampling)
    async with AsyncExitStack() as stack:
        for role, settings in whom(config).items():
            section = sections[role]
            if section not in opened:
                model = await stack.enter_async_context(open_teacher(settings, journal, usage, section))
                opened[section] = Asked(model, settings.sampling)
            found[role] = opened[section]
        yield AllAsked(**found)


@dataclass
class PairsOutcome:
    """What one call made: rows looked at, pairs made, what was dropped by reason, and the budget that ended it."""

    rows: int = 0
    pairs: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    stopped: str = ""


async def make_pairs(workspace: Workspace, plan: Plan, outcome: PairsOutcome) -> None:
    """Pair every accepted row that has no pairs yet; `outcome` is kept up to date."""
    config = workspace.config
    committer = Committer(workspace.pairs, pairs_plan(plan, config), config.generation.shard_rows)
    cells = _unpaired(workspace, plan, committer.stop)
    first = next(cells, None)
    if first is None:
        return
    async with all_asked(config, workspace.journal, workspace.usage) as asked:

        async def make(cell: tuple[Row, list[Row]]) -> tuple[int, list[Row]]:
            row, others = cell
            return row["index"], await pairs_of(row, others, config.pairs, config.filters.shirker, asked)

        def take(made: tuple[int, list[Row]]) -> None:
            index, pairs = made
            dropped = [pair["reason"] for pair in pairs if pair["reason"] is not None]
            committer.add(index, pairs, len(dropped) < len(pairs))
            outcome.dropped.update(dropped)
            outcome.pairs += len(pairs) - len(dropped)
            outcome.rows += 1

        at_once = rows_at_once(max((each.max_in_flight for each in whom(config).values()), default=1))
        pairs_in_order = in_order(chain([first], cells), make, at_once, lead=8 * at_once)
        outcome.stopped = await committer.commit_all(pairs_in_order, take)
    workspace.pairs.tidy()


def is_paired(row: Row, config: PairsConfig) -> bool:
    """Whether an accepted row is in the share that gets pairs: a draw of its own seed."""
    return derived_seed("share", row["seed"]) < config.share * 2**31


def with_their_cells(rows: list[Row]) -> Iterator[tuple[Row, list[Row]]]:
    """The `sft` rows among the rows of whole cells, each with all rows of its cell."""
    for _, of_cell in groupby(rows, key=lambda row: row["index"]):
        cell = list(of_cell)
        for row in accepted_cells(cell):
            yield row, cell


def _unpaired(workspace: Workspace, plan: Plan, start: int) -> Iterator[tuple[Row, list[Row]]]:
    """The accepted rows of the plan from position `start` on, as many as the share takes."""
    for shard in workspace.samples.of_plan(plan.fingerprint):
        if shard.stop <= start:
            continue
        for row, cell in with_their_cells(workspace.samples.rows(shard).to_pylist()):
            if row["index"] >= start and is_paired(row, workspace.config.pairs):
                yield row, cell
