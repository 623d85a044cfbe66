"""The filter step: stored rows are decided again, without a teacher; a grader is asked where there is no grade yet."""

import asyncio

from skillmill.filters.overrides import read_overrides
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, make_plan
from skillmill.flows.rows.decide import (
    Refiltered,
    load_rules,
    override,
    overrides_fingerprint,
    refilter,
    without_row,
)
from skillmill.flows.rows.grading import grading_fingerprints, warn_of_own_work
from skillmill.flows.runtime.loop import run
from skillmill.flows.runtime.progress import Pace, Progress, say
from skillmill.flows.runtime.run_json import note, noted
from skillmill.flows.runtime.workspace import Workspace, keep_usage, open_workspace
from skillmill.flows.steps.taxonomy import existing_taxonomy
from skillmill.teachers.middleware.accounting import BudgetMet


def filter_step(config: Config, again: bool = True) -> None:
    """Decide the stored rows again by the settings as they stand; `again` is False where only a change matters.

    Nothing is generated. A grader is asked about rows that are to be graded and have no grade by its settings. Raises
    `SkillmillError` where there is no run yet.
    """
    plan = make_plan(config, existing_taxonomy(config))
    with open_workspace(config) as workspace, Progress("filter") as progress:
        if settle(workspace, plan, progress, again) is None:
            shards = workspace.samples.of_plan(plan.fingerprint)
            say(f"filter: {sum(shard.rows for shard in shards)} rows, all decided by these settings")
        _warn(workspace, plan)


def settle(workspace: Workspace, plan: Plan, progress: Progress, again: bool = False) -> Refiltered | None:
    """Decide the stored rows again where filters, grading or overrides are not those that they were decided by.

    None where nothing was to be done. While it is at work, and after a budget ended it, `run.json` names no rules, so
    that it is seen: the next call goes on.
    """
    rules, key = load_rules(workspace.config), plan.fingerprint
    decided_by = noted(workspace, "decided").get(key) or {}
    last_grader = {"grader": decided_by["grader"]} if "grader" in decided_by else {}
    wanted = {**last_grader, **rules.fingerprints(), **grading_fingerprints(workspace.config)}
    stored = workspace.samples.of_plan(key)
    if not (stored and (again or decided_by != wanted)):
        if decided_by != wanted:
            note(workspace, "decided", key, wanted)
        return None
    same_grader = decided_by.get("grader") == wanted.get("grader")
    note(workspace, "decided", key, last_grader if same_grader else {})
    warn_of_own_work(workspace.config, plan)
    found, pace = Refiltered(), Pace(workspace.usage)

    def tick() -> None:
        progress.line(f"{found.rows} rows decided again, {pace.text()}")
        keep_usage(workspace)

    run(refilter(workspace, plan, rules, same_grader, found), tick)
    if not found.stopped:
        note(workspace, "decided", key, wanted)
    _say_what_changed("filter", found)
    if found.stopped:
        say(f"filter: {BudgetMet(found.stopped)}")
    return found


def lay_overrides(workspace: Workspace, plan: Plan) -> None:
    """An export honours what a person said since the rows were decided; the filters' word stays as it is."""
    overrides, key = read_overrides(workspace.config.output), plan.fingerprint
    decided_by, wanted = noted(workspace, "decided").get(key) or {}, overrides_fingerprint(overrides)
    if decided_by.get("overrides") == wanted or (not decided_by and not overrides.by_id):
        return
    _say_what_changed("export", asyncio.run(override(workspace, plan, overrides)))
    note(workspace, "decided", key, decided_by | {"overrides": wanted})
    _warn(workspace, plan)


def _say_what_changed(step: str, found: Refiltered) -> None:
    changed = f"{found.newly_accepted} now accepted, {found.newly_rejected} now rejected"
    share = f", {found.accepted} of {found.cells} cells accepted"
    graded = f", {found.graded} graded" if found.graded else ""
    say(f"{step}: {found.rows} rows decided again, {changed}{share}{graded}, {found.shards} shards rewritten")


def _warn(workspace: Workspace, plan: Plan) -> None:
    for line in without_row(workspace, plan, read_overrides(workspace.config.output)):
        say(f"warning: {line}")
