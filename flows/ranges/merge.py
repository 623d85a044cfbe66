"""Merge the ranges of a plan: their rows become those of one run, with the bytes of a run in one process."""

import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from skillmill.data.errors import SkillmillError
from skillmill.data.export.grading_counts import count_gradings
from skillmill.data.records import GradingRow, SampleRow
from skillmill.data.remote.url import is_url
from skillmill.data.store import grade_store, gradings_of, sample_store
from skillmill.filters.overrides import Overrides
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, make_plan
from skillmill.flows.ranges.share import MERGES, before_ranges
from skillmill.flows.ranges.split import Range, range_config, ranges_folder
from skillmill.flows.refresh.stored_plans import store_plan
from skillmill.flows.rows.cell_rows import CellRows
from skillmill.flows.rows.decide import Rules, load_rules
from skillmill.flows.rows.duplicates import Duplicates
from skillmill.flows.runtime.remote_output import at_output, held_copy
from skillmill.flows.runtime.run_json import read_plan_note, recorded_end, update_run_json, write_plan_note
from skillmill.flows.runtime.shard_writer import ShardWriter
from skillmill.flows.runtime.workspace import Workspace, open_workspace, read_ledger, read_state
from skillmill.flows.steps.filter import DECIDED, rules_note
from skillmill.flows.steps.taxonomy import configured_taxonomy, taxonomy_step
from skillmill.teachers.middleware.accounting import Usage

log = logging.getLogger(__name__)


@at_output
def merge_ranges(config: Config) -> dict[str, int]:
    """Put the rows of all ranges into `output_dir`; return counts of `ranges`, `cells` and `accepted`.

    Near-duplicates are found over all ranges. A merge that was stopped goes on, and a second call does nothing. The
    ranges stay as they are. Raises `SkillmillError` if a range is missing, unfinished, of another plan or decided by
    other filters, and `StoreError` if a shard is damaged.
    """
    plan = make_plan(config, configured_taxonomy(config))
    before = before_ranges(config, plan)
    parts = _ranges(config, before.cells)
    settings = [range_config(config, part, before.cells) for part in parts]
    for own in settings:
        with held_copy(own, reads_only=True):  # brings the copy of a URL up to date
            pass
    rules_of_ranges = load_rules(settings[0])
    notes_of_ranges = [
        _checked_note(plan, part, own, rules_of_ranges) for part, own in zip(parts, settings, strict=True)
    ]
    last_note = notes_of_ranges[0] if all(note == notes_of_ranges[0] for note in notes_of_ranges) else {}
    rules = load_rules(config)
    taxonomy = taxonomy_step(config)
    with open_workspace(config) as workspace, recorded_end(config.output):
        store_plan(config, plan, taxonomy)
        if before.merge != "done":
            write_plan_note(workspace, MERGES, plan.fingerprint, asdict(replace(before, merge="begun")))
            _write_rows(workspace, plan, settings, rules.overrides)
            workspace.usage.include([_usage_of(own) for own in settings])
            notes: dict[str, Any] = {
                DECIDED: rules_note(config, rules, last_note),
                MERGES: asdict(replace(before, merge="done")),
            }
            state: dict[str, Any] = {
                "plan": plan.fingerprint,
                "plan_parts": plan.parts,
                "status": "generated",
                "reason": "",
            }
            for key, value in notes.items():
                state[key] = read_plan_note(workspace, key) | {plan.fingerprint: value}
            update_run_json(workspace, state, count_gradings(workspace.samples, workspace.grades, plan.fingerprint))
        shards = workspace.samples.of_plan(plan.fingerprint)
    return {
        "ranges": len(parts),
        "cells": sum(shard.cells for shard in shards),
        "accepted": sum(shard.accepted for shard in shards),
    }


def _ranges(config: Config, before: int) -> list[Range]:
    """Return all ranges of the cells after the first `before` in order."""
    folder = config.place(ranges_folder(config, before))
    found = [Range.parse(name.replace("-of-", "/")) for name in _names_of_ranges(config, before)]
    counts = {part.count for part in found}
    if not counts:
        raise SkillmillError(f"{folder} holds no range: run `skillmill generate --range 1/N` first")
    if len(counts) > 1:
        of = " and ".join(f"of {count}" for count in sorted(counts))
        raise SkillmillError(f"{folder} holds ranges {of}, expected those of one number: delete the others")
    [count] = counts
    for number in range(1, count + 1):
        if Range(number, count) not in found:
            raise SkillmillError(
                f"range {number}/{count} is missing: run `skillmill generate --range {number}/{count}`"
            )
    return sorted(found)


def _names_of_ranges(config: Config, before: int) -> list[str]:
    """Return the names of the folders of all ranges, such as "3-of-8"."""
    folder = ranges_folder(config, before)
    names = [path.name for path in folder.glob("*-of-*")]
    if is_url(config.output_dir):
        from skillmill.data.remote.object_store import ObjectStore  # fsspec takes time to import

        names = ObjectStore(config.output_dir).names(folder.relative_to(config.output).as_posix())
    return [name for name in names if re.fullmatch(r"\d+-of-\d+", name)]


def _checked_note(plan: Plan, part: Range, own: Config, rules: Rules) -> dict[str, Any]:
    """Return by which rules a range was decided. Raises `SkillmillError` if it cannot be merged."""
    again = f"run `skillmill generate --range {part}` again"
    shards = sample_store(own.output).of_plan(plan.fingerprint)
    if not shards:
        raise SkillmillError(f"range {part} has no rows of the configured plan: {again}")
    expected, cells = own.generation.samples or 0, sum(shard.cells for shard in shards)
    if cells < expected:
        raise SkillmillError(f"range {part} has {cells} of {expected} cells: {again}")
    decided_by: dict[str, Any] = read_state(own.output).get(DECIDED, {}).get(plan.fingerprint) or {}
    if decided_by != rules_note(own, rules, decided_by):
        raise SkillmillError(
            f"range {part} was decided by other filters or another grading: {again}, which asks nothing"
        )
    return decided_by


def _write_rows(workspace: Workspace, plan: Plan, settings: list[Config], overrides: Overrides) -> None:
    duplicates = Duplicates(workspace, plan, overrides, own_shards=True)
    shard_cells = workspace.config.generation.shard_cells
    grades = workspace.grades if workspace.config.grading.when != "never" else None
    writer = ShardWriter[SampleRow](workspace.samples, plan.fingerprint, shard_cells, grades, duplicates.sync)
    try:
        for own in settings:
            for cell in _cells(own.output, plan, overrides):
                index = cell.rows[0]["index"]
                if index < writer.stop:  # an earlier call has merged it
                    continue
                marked = CellRows(duplicates.mark(cell.rows), cell.gradings)
                writer.add(index, marked.rows, marked.accepted, marked.gradings)
                if writer.full:
                    writer.commit()
        writer.commit()
    finally:
        duplicates.close()
    workspace.grades.tidy()
    workspace.samples.tidy()


def _cells(folder: Path, plan: Plan, overrides: Overrides) -> Iterator[CellRows]:
    """Yield the cells of a range in order, with the overrides of the run."""
    samples, grades = sample_store(folder), grade_store(folder)
    for shard in samples.of_plan(plan.fingerprint):
        rows: list[SampleRow] = samples.rows(shard).to_pylist()
        gradings = defaultdict[str, list[GradingRow]](list)
        for grading in gradings_of(rows, shard, grades):
            gradings[grading["id"]].append(grading)
        for _, of_cell in groupby(map(overrides.apply, rows), key=lambda row: row["index"]):
            in_cell = list(of_cell)
            yield CellRows(in_cell, [grading for row in in_cell for grading in gradings[row["id"]]])


def _usage_of(own: Config) -> Usage:
    ledger, usage = read_ledger(own), Usage(own.prices, own.budget)
    usage.restore(ledger["usage"], ledger["wall_s"])
    return usage
