"""The filter step: decide stored rows again.

Nothing is generated. A grader is asked only about rows that have no grade by the current settings.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from skillmill.data.export.grading_counts import GradingCounts, count_gradings
from skillmill.data.reasons import NOT_GRADED
from skillmill.filters.overrides import read_overrides
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, make_plan
from skillmill.flows.rows.decide import Rules, load_rules, overrides_fingerprint
from skillmill.flows.rows.grading import asks_a_model, grading_fingerprints, warn_of_self_grading
from skillmill.flows.rows.redecide import FilterOutcome, apply_overrides, overrides_without_effect, redecide
from skillmill.flows.runtime.loop import run
from skillmill.flows.runtime.progress import Pace, Progress
from skillmill.flows.runtime.remote_output import at_output
from skillmill.flows.runtime.run_json import read_plan_note, update_run_json, write_plan_note
from skillmill.flows.runtime.workspace import Workspace, keep_usage, open_workspace
from skillmill.flows.steps.taxonomy import existing_taxonomy
from skillmill.teachers.middleware.accounting import BudgetMet

log = logging.getLogger(__name__)

DECIDED = "decided"
"""The key of `run.json` under which each plan has the fingerprints of the rules that its rows were decided by."""
REWRITTEN = "rewritten"
"""The key of `run.json` under which each plan has the number of passes that changed its stored rows."""


@at_output
def filter_step(config: Config, again: bool = True) -> FilterOutcome:
    """Decide the stored rows by the current settings; `again=False` does so only if the settings changed.

    Returns the counts of the stored rows, without those of `generation.test`. Raises `SkillmillError` if there is no
    run yet.
    """
    if config.generation.test is not None:
        _filter(config.held_out, again)
    return _filter(config, again)


def _filter(config: Config, again: bool) -> FilterOutcome:
    plan = make_plan(config, existing_taxonomy(config))
    with open_workspace(config) as workspace, Progress("filter") as progress:
        outcome = redecide_if_changed(workspace, plan, progress, again)
        if outcome is None:
            shards = workspace.samples.of_plan(plan.fingerprint)
            outcome = FilterOutcome(
                rows=sum(shard.rows for shard in shards),
                cells=sum(shard.cells for shard in shards),
                accepted=sum(shard.accepted for shard in shards),
            )
            log.info(f"filter: {outcome.rows} rows, all decided by these settings")
        _warn_of_useless_overrides(workspace, plan)
    return outcome


def redecide_if_changed(
    workspace: Workspace, plan: Plan, progress: Progress, again: bool = False, without_reply: bool = False
) -> FilterOutcome | None:
    """Decide the stored rows again if filters, grading or overrides changed; return None if they did not.

    `without_reply` decides them again too if a row was rejected because the grader gave no reply.
    While this runs, and after a budget ended it, `run.json` names no rules for the plan, so that the next call
    continues.
    """
    rules, key = load_rules(workspace.config), plan.fingerprint
    decided_by = read_plan_note(workspace, DECIDED).get(key) or {}
    wanted = rules_note(workspace.config, rules, decided_by)
    stored = workspace.samples.of_plan(key)
    again = again or (without_reply and _lacks_a_reply_of_the_grader(workspace, plan))
    if not (stored and (again or decided_by != wanted)):
        if decided_by != wanted:
            write_plan_note(workspace, DECIDED, key, wanted)
        return None
    same_grader = decided_by.get("grader") == wanted.get("grader")
    write_plan_note(workspace, DECIDED, key, last_grader(decided_by) if same_grader else {})
    warn_of_self_grading(workspace.config, plan)
    outcome, pace = FilterOutcome(), Pace(workspace.usage)

    def tick() -> None:
        progress.line(f"{outcome.rows} rows decided again", pace.text())
        keep_usage(workspace)

    run(redecide(workspace, plan, rules, same_grader, outcome), tick)
    if outcome.shards or "filters" not in decided_by:  # a pass before was interrupted and may have changed rows
        note_rewritten(workspace, plan)
    if not outcome.stopped:
        write_plan_note(workspace, DECIDED, key, wanted)
    counts = count_gradings(workspace.samples, workspace.grades, key)
    update_run_json(workspace, {}, counts)
    _say_what_changed("filter", outcome, counts)
    if outcome.stopped:
        log.info(f"filter: {BudgetMet(outcome.stopped)}")
    return outcome


def rules_note(config: Config, rules: Rules, decided_by: Mapping[str, Any]) -> dict[str, Any]:
    """Return the note that rows are decided by `rules`, to be kept under `DECIDED`; `decided_by` is the note so far."""
    return {**last_grader(decided_by), **rules.fingerprints(), **grading_fingerprints(config)}


def last_grader(decided_by: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a note says about the grader: it stays while nothing is graded, because its grades stay."""
    return {"grader": decided_by["grader"]} if "grader" in decided_by else {}


def note_rewritten(workspace: Workspace, plan: Plan) -> None:
    """Count a change of stored rows in `run.json`, so that the pairs step makes their pairs again."""
    times = read_plan_note(workspace, REWRITTEN).get(plan.fingerprint, 0)
    write_plan_note(workspace, REWRITTEN, plan.fingerprint, times + 1)


def _lacks_a_reply_of_the_grader(workspace: Workspace, plan: Plan) -> bool:
    """Return whether a row of the plan is rejected as not graded and a grading of its shard got no reply."""
    config, grades = workspace.config, workspace.grades
    if config.grading.failure_rule != "reject" or not asks_a_model(config, plan):
        return False
    return any(
        grades.read_unverified(gradings, ["raw"])["raw"].null_count
        and any(NOT_GRADED in reasons for reasons in workspace.samples.rows(shard, ["reasons"])["reasons"].to_pylist())
        for shard in workspace.samples.of_plan(plan.fingerprint)
        if (gradings := grades.at(plan.fingerprint, shard.start)) is not None
    )


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


def _say_what_changed(step: str, outcome: FilterOutcome, gradings: GradingCounts | None = None) -> None:
    changed = f"{outcome.newly_accepted} now accepted, {outcome.newly_rejected} now rejected"
    share = f", {outcome.accepted} of {outcome.cells} cells accepted"
    graded = f", {words}" if (words := str(gradings or "")) else ""
    log.info(f"{step}: {outcome.rows} rows decided again, {changed}{share}{graded}, {outcome.shards} shards rewritten")


def _warn_of_useless_overrides(workspace: Workspace, plan: Plan) -> None:
    for line in overrides_without_effect(workspace, plan, read_overrides(workspace.config.output)):
        log.warning(f"warning: {line}")
