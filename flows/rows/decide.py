"""Deciding rows: those that were just made, and stored ones again, by the filters, the user's own, and a person.

Both take the same way, so that stored rows that are decided again by other settings have the bytes of a fresh run.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.files import store_errors
from skillmill.data.records import Sample, sample_of
from skillmill.data.store import gradings_of
from skillmill.filters.apply import apply_filters, apply_grade, undecided
from skillmill.filters.config import FiltersConfig
from skillmill.filters.contamination.ngram_index import with_index
from skillmill.filters.custom import Custom, custom_reasons, load_custom
from skillmill.filters.grading.grade import grade, ungraded, wants_grade
from skillmill.filters.overrides import Overrides, read_overrides
from skillmill.filters.rows.safety import hide
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan
from skillmill.flows.rows.duplicates import Duplicates
from skillmill.flows.rows.grading import Grading, graded_at_once, open_grading
from skillmill.flows.runtime.in_order import in_order
from skillmill.flows.runtime.workspace import Workspace
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.middleware.accounting import BudgetMet

Row = dict[str, Any]


@dataclass(frozen=True)
class Rules:
    """All that decides a row."""

    filters: FiltersConfig
    custom: tuple[Custom, ...] = ()
    overrides: Overrides = field(default_factory=Overrides)

    def fingerprints(self) -> dict[str, str]:
        """Of the filters, their model and the user's modules, and of the overrides: what `run.json` remembers."""
        filters = hashlib.sha256(self.filters.model_dump_json().encode())
        if model := self.filters.shirker.model:
            with store_errors(f"filters.shirker.model: cannot read {model}"):
                filters.update(model.read_bytes())
        if index := self.filters.contamination.index:
            filters.update(index.name.encode())  # which says what the evaluation sets hold
        for custom in self.custom:
            filters.update(custom.source)
        return {"filters": filters.hexdigest()[:16], "overrides": overrides_fingerprint(self.overrides)}


def overrides_fingerprint(overrides: Overrides) -> str:
    verdicts = sorted((said.id, said.verdict) for said in overrides.by_id.values())
    return hashlib.sha256(orjson.dumps(verdicts)).hexdigest()[:16]


def load_rules(config: Config, work: Path | None = None) -> Rules:
    """Raises `ConfigError` where a function cannot be imported, an evaluation set cannot be had, or `overrides.jsonl`
    has a bad line. The index of the evaluation sets is kept in `work`, by default in `work_dir`."""
    filters = config.filters
    contamination = with_index(filters.contamination, (work or config.work) / "contamination")
    indexed = filters.model_copy(update={"contamination": contamination})
    return Rules(indexed, load_custom(filters.custom, filters.folder), read_overrides(config.output))


async def decided(
    row: Row, cell: Cell, rules: Rules, grading: Grading | None = None, known: Mapping[int, str] | None = None
) -> tuple[Row, list[Row]]:
    """The row with the reasons, signals, grade and verdict of `rules`, and the gradings behind its grade.

    Only what its generator said is taken over, and of a grader the replies that are `known`. It is graded when all
    filters have accepted it, the user's own too, whatever a person said. Without `grading` its grade stays as it is.
    """
    made = undecided(sample_of(row))
    judged = apply_filters(ungraded(made) if grading else made, cell, rules.filters)
    row = rules.overrides.over(_laid(row, judged))
    if rules.custom and row["completion"]:
        said = [*map(hide(rules.filters.safety), await custom_reasons(rules.custom, row))]  # they may quote the answer
        judged = judged.with_verdict(said, {})
        row["reasons"] = [*row["reasons"], *said]
    gradings: list[Row] = []
    if grading and wants_grade(judged, grading.config):
        graded, found = await grade(judged, cell, grading.grader, known)
        row = _laid(row, apply_grade(graded, cell, rules.filters))
        gradings = [grading.as_row(row["id"]) for grading in found]
    return rules.overrides.over(row), gradings


def _laid(row: Row, sample: Sample) -> Row:
    """The row with what was decided of it."""
    said = {"reasons": [str(why) for why in sample.reasons], "signals": sorted(sample.signals.items())}
    return {**row, **said, "grade": sample.grade, "grader": sample.grader}


@dataclass
class Refiltered:
    """What deciding again came to, in rows and in cells with an accepted row."""

    rows: int = 0
    graded: int = 0
    newly_accepted: int = 0
    newly_rejected: int = 0
    cells: int = 0
    accepted: int = 0
    shards: int = 0
    """Rewritten ones; a shard in which nothing changed is left alone."""
    stopped: str = ""
    """The budget that ended it, if one did; the shards after that are as they were."""


Decide = Callable[[list[Row], list[Row]], Awaitable[tuple[list[Row], list[Row]]]]
"""From the rows of a shard and their gradings to the rows and gradings that are to lie there."""


async def decide_again(
    workspace: Workspace, plan: Plan, decide: Decide, found: Refiltered, graded: bool = False
) -> None:
    """Decide the stored rows of the plan again, shard by shard in index order, each a commit of its own.

    `found` is kept up to date. Gradings are committed before their rows, as `Committer` does; where the run is
    `graded`, every shard has a shard of them, if an empty one.
    """
    store, grades = workspace.samples, workspace.grades
    for shard in store.of_plan(plan.fingerprint):
        before = store.rows(shard).to_pylist()
        known = gradings_of(before, shard, grades)
        after, gradings = await decide(before, known)
        accepted = len({row["index"] for row in after if row["verdict"] == "accepted"})
        where = (plan.fingerprint, shard.start, shard.stop)
        beside = grades.at(plan.fingerprint, shard.start)
        if gradings != known or (beside and after != before) or (graded and not beside):
            grades.commit(*where, gradings, shard.cells, accepted)
        if after != before:
            store.commit(*where, after, shard.cells, accepted)
            found.shards += 1
        for old, new in zip(before, after, strict=True):
            if old["verdict"] != new["verdict"]:
                found.newly_accepted += new["verdict"] == "accepted"
                found.newly_rejected += new["verdict"] == "rejected"
        found.rows += len(after)
        found.graded += sum(row["grader"] is not None for row in after)
        found.cells += shard.cells
        found.accepted += accepted
        await asyncio.sleep(0)  # where a Ctrl-C comes in
    grades.tidy()
    store.tidy()


async def refilter(workspace: Workspace, plan: Plan, rules: Rules, same_grader: bool, found: Refiltered) -> None:
    """Decide the stored rows of the plan by `rules`, as a run that had them from the start would have.

    Rows that are to be graded are graded: from the replies that lie in `grades/`, if they are of the `same_grader`,
    else from the journal, else by asking.
    """
    config = workspace.config
    opening = open_grading(config, plan, workspace.journal, workspace.usage, late=True)
    duplicates = Duplicates(workspace, plan, rules.overrides, behind=False)
    at_once = graded_at_once(config, plan)
    try:
        async with opening as grading:

            async def decide(rows: list[Row], gradings: list[Row]) -> tuple[list[Row], list[Row]]:
                known = replies(gradings) if same_grader else {}

                async def alone(row: Row) -> tuple[Row, list[Row]]:
                    cell = plan.combinations[row["index"]]
                    assert cell is not None, "a stored row lies at a cell"
                    return await decided(row, cell, rules, grading, known.get(row["id"]))

                each = [one async for one in in_order(rows, alone, at_once, lead=8 * at_once)]
                decided_rows = duplicates.over([row for row, _ in each])
                duplicates.sync()
                if grading is None:
                    return decided_rows, gradings
                return decided_rows, [said for _, of_row in each for said in of_row]

            await decide_again(workspace, plan, decide, found, graded=grading is not None)
    except BudgetMet as met:
        found.stopped = met.reason
    finally:
        duplicates.close()


def replies(gradings: list[Row]) -> dict[str, dict[int, str]]:
    """By row and run, what a grader replied; of a request without a reply there is nothing."""
    found: dict[str, dict[int, str]] = {}
    for grading in gradings:
        if grading["raw"] is not None:
            found.setdefault(grading["id"], {})[grading["run"]] = grading["raw"]
    return found


async def override(workspace: Workspace, plan: Plan, overrides: Overrides) -> Refiltered:
    """Lay a person's word over the stored rows; what the filters and the grader said stays."""

    async def decide(rows: list[Row], gradings: list[Row]) -> tuple[list[Row], list[Row]]:
        return [overrides.over(row) for row in rows], gradings

    found = Refiltered()
    await decide_again(workspace, plan, decide, found)
    return found


def without_row(workspace: Workspace, plan: Plan, overrides: Overrides) -> list[str]:
    """A line for each override that does nothing: of a row that is not in the plan, or that has no answer."""
    if not overrides.by_id:
        return []
    answered: dict[str, bool] = {}
    for table in workspace.samples.tables([plan.fingerprint], ["id", "completion"]):
        for row in table.to_pylist():
            if row["id"] in overrides.by_id:
                answered[row["id"]] = bool(row["completion"])
    lines = []
    for name, said in overrides.by_id.items():
        if name not in answered:
            lines.append(f"overrides.jsonl:{overrides.lines[name]}: no row {name} in this plan")
        elif said.verdict == "accepted" and not answered[name]:
            lines.append(f"overrides.jsonl:{overrides.lines[name]}: row {name} has no answer, it stays rejected")
    return lines
