"""The pairs step: preference pairs of the accepted rows, and the replacements of the stress set."""

import logging

from skillmill.data.reasons import PairReason
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan
from skillmill.flows.rows.pairs import PairsOutcome, make_pairs, pairs_plan
from skillmill.flows.rows.stress import StressOutcome, make_stress, stress_plan, wanted_replacements
from skillmill.flows.runtime.loop import run
from skillmill.flows.runtime.progress import Pace, Progress
from skillmill.flows.runtime.remote_output import at_output
from skillmill.flows.runtime.run_json import read_plan_note, update_run_json, write_plan_note
from skillmill.flows.runtime.workspace import Workspace, keep_usage, open_workspace
from skillmill.flows.steps.filter import DECIDED, REWRITTEN
from skillmill.flows.steps.taxonomy import current_plan
from skillmill.teachers.middleware.accounting import BudgetMet

log = logging.getLogger(__name__)

STRESSED = "stressed"
"""The key of `run.json` under which each plan has the fingerprint of its stress set."""
PAIRED = "paired"
"""The key of `run.json` under which each pairs plan has the rules that its rows were decided by."""


def wants_pairs(config: Config) -> bool:
    """Return whether the configuration asks for pairs or a stress set."""
    return bool(config.pairs.sources and config.pairs.share > 0) or config.export.stress is not None


@at_output
def pairs_step(config: Config) -> PairsOutcome:
    """Make the preference pairs and the replacements of the stress set that are still missing."""
    plan = current_plan(config)
    with open_workspace(config) as workspace:
        outcome = _make_pairs(workspace, plan)
        if config.export.stress is not None and not outcome.stopped:
            outcome.stopped = _make_stress(workspace, plan).stopped
    if outcome.stopped:
        log.info(f"pairs: {BudgetMet(outcome.stopped)}")
    return outcome


def _make_pairs(workspace: Workspace, plan: Plan) -> PairsOutcome:
    config, outcome = workspace.config.pairs, PairsOutcome()
    if not config.sources or config.share == 0:
        return outcome
    pace = Pace(workspace.usage)
    _drop_outdated_pairs(workspace, plan)

    def tick() -> None:
        progress.line(f"{outcome.rows} rows, {outcome.pairs} pairs", pace.text())
        keep_usage(workspace)

    with Progress("pairs") as progress:
        try:
            run(make_pairs(workspace, plan, outcome), tick)
        finally:
            _record_stop(workspace, outcome.stopped)
    lost = ", ".join(f"{reason} {count}" for reason, count in sorted(outcome.dropped.items()))
    done = "" if outcome.rows or outcome.stopped else " (nothing left to do)"
    log.info(
        f"pairs: {outcome.pairs} made from {', '.join(config.sources)}{f'; dropped: {lost}' if lost else ''}{done}"
    )
    if outcome.rows and outcome.dropped[PairReason.NOT_GRADED] == outcome.rows:
        log.info(
            "pairs: low_grade gives none, no row has a graded answer beside it: set grading.when to unsure or always"
        )
    return outcome


def _make_stress(workspace: Workspace, plan: Plan) -> StressOutcome:
    outcome, pace = StressOutcome(), Pace(workspace.usage)
    replacements = wanted_replacements(workspace, plan)
    name = stress_plan(plan, replacements)
    before = read_plan_note(workspace, STRESSED).get(plan.fingerprint)
    if before != name:
        if before is not None:
            workspace.stress.drop(before)
        write_plan_note(workspace, STRESSED, plan.fingerprint, name)

    def tick() -> None:
        progress.line(f"{outcome.replaced} of {outcome.wanted} answers of the stress set", pace.text())
        keep_usage(workspace)

    with Progress("pairs") as progress:
        try:
            run(make_stress(workspace, plan, name, replacements, outcome), tick)
        finally:
            _record_stop(workspace, outcome.stopped)
    kept = f"; {outcome.without} rows keep theirs, the teacher gave none" if outcome.without else ""
    log.info(f"pairs: {outcome.replaced} of {outcome.wanted} answers of the stress set{kept}")
    return outcome


def _record_stop(workspace: Workspace, reason: str) -> None:
    update_run_json(workspace, {"status": "partial", "reason": reason} if reason else {})


def _drop_outdated_pairs(workspace: Workspace, plan: Plan) -> None:
    """Drop pairs whose rows were decided again since; they are made again from the journal."""
    name = pairs_plan(plan, workspace.config)
    decided_by = read_plan_note(workspace, DECIDED).get(plan.fingerprint)
    if rewritten := read_plan_note(workspace, REWRITTEN).get(plan.fingerprint):
        decided_by = {**(decided_by or {}), REWRITTEN: rewritten}
    if read_plan_note(workspace, PAIRED).get(name) != decided_by:
        workspace.pairs.drop(name)
        write_plan_note(workspace, PAIRED, name, decided_by)
