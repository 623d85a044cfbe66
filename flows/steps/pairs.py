"""The pairs step: preference pairs for the accepted rows, and the answers of the stress set."""

from skillmill.data.reasons import PairReason
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan
from skillmill.flows.rows.pairs import PairsOutcome, make_pairs, pairs_plan
from skillmill.flows.rows.stress import StressOutcome, make_stress, stress_plan, wanted
from skillmill.flows.runtime.loop import run
from skillmill.flows.runtime.progress import Pace, Progress, say
from skillmill.flows.runtime.run_json import note, noted, remember
from skillmill.flows.runtime.workspace import Workspace, keep_usage, open_workspace
from skillmill.flows.steps.taxonomy import current_plan
from skillmill.teachers.middleware.accounting import BudgetMet

STRESSED = "stressed"
"""What `run.json` says of each plan: the name of its stress set."""


def pairs_step(config: Config) -> PairsOutcome:
    """Make the preference pairs, and the answers of the stress set, that are not there yet."""
    plan = current_plan(config)
    with open_workspace(config) as workspace:
        outcome = _pair(workspace, plan)
        if config.export.stress is not None and not outcome.stopped:
            outcome.stopped = _stress(workspace, plan).stopped
    if outcome.stopped:
        say(f"pairs: {BudgetMet(outcome.stopped)}")
    return outcome


def _pair(workspace: Workspace, plan: Plan) -> PairsOutcome:
    config, outcome = workspace.config.pairs, PairsOutcome()
    if not config.sources or config.share == 0:
        return outcome
    pace = Pace(workspace.usage)
    _drop_old_pairs(workspace, plan)

    def tick() -> None:
        progress.line(f"{outcome.rows} rows, {outcome.pairs} pairs, {pace.text()}")
        keep_usage(workspace)

    with Progress("pairs") as progress:
        try:
            run(make_pairs(workspace, plan, outcome), tick)
        finally:
            remember(workspace, {"status": "partial", "reason": outcome.stopped} if outcome.stopped else {})
    lost = ", ".join(f"{reason} {count}" for reason, count in sorted(outcome.dropped.items()))
    done = "" if outcome.rows or outcome.stopped else " (nothing left to do)"
    say(f"pairs: {outcome.pairs} made from {', '.join(config.sources)}{f'; dropped: {lost}' if lost else ''}{done}")
    if outcome.rows and outcome.dropped[PairReason.NOT_GRADED] == outcome.rows:
        say("pairs: low_grade gives none, no row has a graded answer beside it: set grading.when to unsure or always")
    return outcome


def _stress(workspace: Workspace, plan: Plan) -> StressOutcome:
    outcome, pace = StressOutcome(), Pace(workspace.usage)
    replacing = wanted(workspace, plan)
    name = stress_plan(plan, replacing)
    before = noted(workspace, STRESSED).get(plan.fingerprint)
    if before != name:
        if before is not None:
            workspace.stress.drop(before)
        note(workspace, STRESSED, plan.fingerprint, name)

    def tick() -> None:
        progress.line(f"{outcome.replaced} of {outcome.wanted} answers of the stress set, {pace.text()}")
        keep_usage(workspace)

    with Progress("pairs") as progress:
        try:
            run(make_stress(workspace, plan, name, replacing, outcome), tick)
        finally:
            remember(workspace, {"status": "partial", "reason": outcome.stopped} if outcome.stopped else {})
    kept = f"; {outcome.without} rows keep theirs, the teacher gave none" if outcome.without else ""
    say(f"pairs: {outcome.replaced} of {outcome.wanted} answers of the stress set{kept}")
    return outcome


def _drop_old_pairs(workspace: Workspace, plan: Plan) -> None:
    """Pairs belong to accepted rows: where those were decided again, pairs are made anew, from the journal."""
    name = pairs_plan(plan, workspace.config)
    decided_by = noted(workspace, "decided").get(plan.fingerprint)
    if noted(workspace, "paired").get(name) != decided_by:
        workspace.pairs.drop(name)
        note(workspace, "paired", name, decided_by)
