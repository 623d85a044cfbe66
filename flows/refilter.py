"""Deciding rows: those that were just made, and stored ones again, by the filters, the user's own, and a person.

Both take the same way, so that stored rows that are decided again by other settings have the bytes of a fresh run.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.files import store_errors
from skillmill.data.records import sample_of
from skillmill.filters.config import FiltersConfig
from skillmill.filters.contamination import with_index
from skillmill.filters.custom import Custom, custom_reasons, load_custom
from skillmill.filters.judge import apply_filters, undecided
from skillmill.filters.overrides import Overrides, read_overrides
from skillmill.flows.config import Config
from skillmill.flows.duplicates import Duplicates
from skillmill.flows.plan import Plan
from skillmill.flows.workspace import Workspace
from skillmill.skill_taxonomy.cells import Cell

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


async def decided(row: Row, cell: Cell, rules: Rules) -> Row:
    """The row with the reasons, signals and verdict of `rules`; only what its generator said is taken over."""
    judged = apply_filters(undecided(sample_of(row)), cell, rules.filters)
    row = {**row, "reasons": [str(why) for why in judged.reasons], "signals": sorted(judged.signals.items())}
    row = rules.overrides.over(row)
    if rules.custom and row["completion"]:
        row["reasons"] = [*row["reasons"], *await custom_reasons(rules.custom, row)]
    return rules.overrides.over(row)


@dataclass
class Refiltered:
    """What deciding again came to, in rows and in cells with an accepted row."""

    rows: int = 0
    newly_accepted: int = 0
    newly_rejected: int = 0
    cells: int = 0
    accepted: int = 0
    shards: int = 0
    """Rewritten ones; a shard in which nothing changed is left alone."""


async def decide_again(
    workspace: Workspace, plan: Plan, decide: Callable[[list[Row]], Awaitable[list[Row]]]
) -> Refiltered:
    """Decide the stored rows of the plan again, shard by shard in index order, each a commit of its own."""
    store, found = workspace.samples, Refiltered()
    for shard in store.of_plan(plan.fingerprint):
        before = store.rows(shard).to_pylist()
        after = await decide(before)
        accepted = len({row["index"] for row in after if row["verdict"] == "accepted"})
        if after != before:
            store.commit(plan.fingerprint, shard.start, shard.stop, after, shard.cells, accepted)
            found.shards += 1
        for old, new in zip(before, after, strict=True):
            if old["verdict"] != new["verdict"]:
                found.newly_accepted += new["verdict"] == "accepted"
                found.newly_rejected += new["verdict"] == "rejected"
        found.rows += len(after)
        found.cells += shard.cells
        found.accepted += accepted
        await asyncio.sleep(0)  # where a Ctrl-C comes in
    store.tidy()
    return found


async def refilter(workspace: Workspace, plan: Plan, rules: Rules) -> Refiltered:
    """Decide the stored rows of the plan by `rules`, as a run that had them from the start would have."""

    async def alone(row: Row) -> Row:
        cell = plan.combinations[row["index"]]
        assert cell is not None, "a stored row lies at a cell"
        return await decided(row, cell, rules)

    duplicates = Duplicates(workspace, plan, rules.overrides, behind=False)

    async def decide(rows: list[Row]) -> list[Row]:
        rows = duplicates.over([await alone(row) for row in rows])
        duplicates.sync()
        return rows

    try:
        return await decide_again(workspace, plan, decide)
    finally:
        duplicates.close()


async def override(workspace: Workspace, plan: Plan, overrides: Overrides) -> Refiltered:
    """Lay a person's word over the stored rows; what the filters said stays."""

    async def decide(rows: list[Row]) -> list[Row]:
        return [overrides.over(row) for row in rows]

    return await decide_again(workspace, plan, decide)


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
