"""The stress set: a share of the `sft` answers replaced by low-effort ones, so that what these cost a student can be
measured (papers.md 3.7). Asked in the pairs step: an answer that a pair has too comes out of the journal."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, get_args

import orjson

from skillmill.data.export.writing import accepted_cells
from skillmill.data.records import text_of
from skillmill.flows.config import StressConfig
from skillmill.flows.plan import Plan
from skillmill.flows.runtime.in_order import in_order, rows_at_once
from skillmill.flows.runtime.shard_writer import Committer
from skillmill.flows.runtime.workspace import Workspace
from skillmill.generators.pairs import shirkers
from skillmill.generators.pairs.shirkers import Shirk, shirked
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.teachers.base import RequestFailed, Sampling, Teacher
from skillmill.teachers.build import open_teacher

Row = dict[str, Any]
OF_CELLS = ["id", "index", "generation", "verdict", "grade"]
"""What says which rows are `sft` rows."""


@dataclass
class StressOutcome:
    """How many answers are to be replaced, how many have their replacement, and the budget that ended it."""

    wanted: int = 0
    replaced: int = 0
    without: int = 0
    """Rows that keep their answer, since the teacher gave none."""
    stopped: str = ""


def drawn(ids: Iterable[str], stress: StressConfig, seed: int) -> dict[str, Shirk]:
    """By what each row of the share is replaced, by its id: the same rows for any kind, so that kinds compare."""
    order = sorted(ids, key=lambda row: (derived_seed("stress", seed, row), row))
    kinds: tuple[Shirk, ...] = get_args(Shirk) if stress.kind == "both" else (stress.kind,)
    return {row: kinds[place % len(kinds)] for place, row in enumerate(order[: round(stress.share * len(order))])}


def wanted(workspace: Workspace, plan: Plan) -> dict[str, Shirk]:
    """What is drawn of the rows as they are decided now."""
    stress = workspace.config.export.stress
    assert stress is not None
    tables = workspace.samples.tables([plan.fingerprint], OF_CELLS)
    ids = [row["id"] for table in tables for row in accepted_cells(table.to_pylist())]
    return drawn(ids, stress, workspace.config.seed)


def stress_plan(plan: Plan, replacing: dict[str, Shirk]) -> str:
    """The fingerprint of a stress set: which rows are replaced, by which answers."""
    parts = [plan.fingerprint, sorted(replacing.items()), shirkers.prompts()]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]


async def make_stress(
    workspace: Workspace, plan: Plan, name: str, replacing: dict[str, Shirk], outcome: StressOutcome
) -> None:
    """Ask for the answers that are not there yet and put them into the shards `name`; `outcome` is kept up to date."""
    config, outcome.wanted = workspace.config, len(replacing)
    committer = Committer(workspace.stress, name, config.generation.shard_rows)
    done = [row["text"] for table in workspace.stress.tables([name], ["text"]) for row in table.to_pylist()]
    outcome.replaced, outcome.without = len(done) - done.count(""), done.count("")
    rows = _unanswered(workspace, plan, committer.stop, replacing)
    first = next(rows, None)
    if first is None:
        return
    async with open_teacher(config.teacher, workspace.journal, workspace.usage) as teacher:

        async def make(row: Row) -> Row:
            return await answer(row, replacing[row["id"]], teacher, config.teacher.sampling)

        def take(made: Row) -> None:
            committer.add(made["index"], [made], bool(made["text"]))
            outcome.replaced += bool(made["text"])
            outcome.without += not made["text"]

        at_once = rows_at_once(config.teacher.max_in_flight)
        answers = in_order(chain([first], rows), make, at_once, lead=8 * at_once)
        outcome.stopped = await committer.commit_all(answers, take)
    workspace.stress.tidy()


async def answer(row: Row, how: Shirk, teacher: Teacher, sampling: Sampling) -> Row:
    """A row of `STRESS_ANSWER_SCHEMA`, asked for as the pairs ask; "" where there is no answer."""
    seed = derived_seed(row["seed"], how)
    try:
        text = (await shirked(how, row["kind"], text_of(row["prompt"]), teacher, sampling, seed)).text
    except RequestFailed:
        text = ""
    return {"row": row["id"], "index": row["index"], "source": how, "text": text}


def _unanswered(workspace: Workspace, plan: Plan, start: int, replacing: dict[str, Shirk]) -> Iterator[Row]:
    """The drawn rows of the plan from position `start` on."""
    for shard in workspace.samples.of_plan(plan.fingerprint):
        if shard.stop > start:
            for row in workspace.samples.rows(shard).to_pylist():
                if row["index"] >= start and row["id"] in replacing:
                    yield row
