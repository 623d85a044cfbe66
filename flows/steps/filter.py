"""The filter step: decide stored rows again.

Nothing is generated. A grader is asked only about rows that have no grade by the current settings.
"""

import asyncio
import logging

from skillmill.filters.overrides import read_overrides
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, make_plan
from skillmill.flows.rows.decide import load_rules, overrides_fingerprint
from skillmill.flows.rows.grading import grading_fingerprints, warn_of_self_grading
from skillmill.flows.rows.redecide import FilterOutcome, apply_overrides, overrides_without_effect, redecide
from skillmill.flows.runtime.loop import run
from skillmill.flows.runtime.progress import Pace, Progress
from skillmill.flows.runtime.run_json import read_plan_note, write_plan_note
from skillmill.flows.runtime.workspace import Workspace, keep_usage, open_workspace
from skillmill.flows.steps.taxonomy import existing_taxonomy
from skillmill.teachers.middleware.accounting import BudgetMet

log = logging.getLogger(__name__)

DECIDED = "decided"
"""The key of `run.json` under which each plan has the fingerprints of the rules that its rows were decided by."""


def filter_step(config: Config, again: bool = True) -> None:
    """Decide the stored rows by the current settings; `again=False` does so only if the settings changed.

    Raises `SkillmillError` if there is no run yet.
    """
    plan = make_plan(config, existing_taxonomy(config))
    with open_workspace(config) as workspace, Progress("filter") as progress:
        if redecide_if_changed(workspace, plan, progress, again) is None:
            shards = workspace.samples.of_plan(plan.fingerprint)
            log.info(f"filter: {sum(shard.rows for shard in shards)} rows, all decided by these settings")
        _warn_of_useless_overrides(workspace, plan)


def redecide_if_changed(
    workspace: Workspace, plan: Plan, progress: Progress, again: bool = False
) -> FilterOutcome | None:
    """Decide the stored rows again if filters, grading or overrides changed; return None if they did not.

    While this runs, and after a budget ended it, `run.json` names no rules for the plan, so that the next call
    continues.
    """
    rules, key = load_rules(workspace.config), plan.fingerprint
    decided_by = read_plan_note(workspace, DECIDED).get(key) or {}
    last_grader = {"grader": decided_by["grader"]} if "grader" in decided_by else {}
    wanted = {**last_grader, **rules.fingerprints(), **grading_fingerprints(workspace.config)}
    stored = workspace.samples.of_plan(key)
    if not (stored and (again or decided_by != wanted)):
        if decided_by != wanted:
            write_plan_note(workspace, DECIDED, key, wanted)
        return None
    same_grader = decided_by.get("grader") == wanted.get("grader")
    write_plan_note(workspace, DECIDED, key, last_grader if same_grader else {})
    warn_of_self_grading(workspace.config, plan)
    outcome, pace = FilterOutcome(), Pace(workspace.usage)

    def tick() -> None:
        progress.line(f"{outcome.rows} rows decided again, {pace.text()}")
        keep_usage(workspace)

    run(redecide(workspace, plan, rules, same_grader, outcome), tick)
    if not outcome.stopped:
        write_plan_note(workspace, DECIDED, key, wanted)
    _say_what_changed("filter", outcome)
    if outcome.stopped:
        log.info(f"filter: {BudgetMet(outcome.stopped)}")
    return outcome


def apply_new_overrides(workspace: Workspace, plan: Plan) -> None:
    """Apply overrides that were written since the rows were decided; an export calls this first."""
    overrides, key = read_overrides(workspace.config.output), plan.fingerprint
    decided_by = read_plan_note(workspace, DECIDED).get(key) or {}
    wanted = overrides_fingerprint(overrides)
    if decided_by.get("overrides") == wanted or (not decided_by and not overrides.by_id):
        return
    _say_what_changed("export", asyncio.run(apply_overrides(workspace, plan, overrides)))
    write_plan_note(workspace, DECIDED, key, decided_by | {"overrides": wanted})
    _warn_of_useless_overrides(workspace, plan)


def _say_what_changed(step: str, outcome: FilterOutcome) -> None:
    changed = f"{outcome.newly_accepted} now accepted, {outcome.newly_rejected} now rejected"
    share = f", {outcome.accepted} of {outcome.cells} cells accepted"
    graded = f", {outcome.graded} graded" if outcome.graded else ""
    log.info(f"{step}: {outcome.rows} rows decided again, {changed}{share}{graded}, {outcome.shards} shards rewritten")


def _warn_of_useless_overrides(workspace: Workspace, plan: Plan) -> None:
    for line in overrides_without_effect(workspace, plan, read_overrides(workspace.config.output)):
        log.warning(f"warning: {line}")
