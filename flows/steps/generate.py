"""The generate step: generate rows up to the target and report how far the plan has come."""

import logging
from dataclasses import asdict

from skillmill.data.export.grading_counts import count_gradings
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, changed_keys
from skillmill.flows.predict import known_sizes, predict
from skillmill.flows.rows.generate import GenerateOutcome, generate
from skillmill.flows.rows.grading import warn_of_self_grading
from skillmill.flows.runtime.loop import run
from skillmill.flows.runtime.progress import Pace, Progress
from skillmill.flows.runtime.run_json import update_run_json
from skillmill.flows.runtime.workspace import Workspace, keep_usage, open_workspace, read_state
from skillmill.flows.steps.filter import redecide_if_changed
from skillmill.flows.steps.taxonomy import current_plan
from skillmill.teachers.middleware.accounting import BudgetMet

log = logging.getLogger(__name__)


def generate_step(config: Config) -> GenerateOutcome:
    """Generate and decide rows up to the target.

    If the target is not reached, `missed` or `stopped` of the outcome says why.
    """
    plan = current_plan(config)
    with open_workspace(config) as workspace, Progress("generate") as progress:
        _log_if_plan_changed(workspace, plan)
        redecided = redecide_if_changed(workspace, plan, progress, without_reply=True)
        if redecided is not None and redecided.stopped:
            shards = workspace.samples.of_plan(plan.fingerprint)
            update_run_json(workspace, {"status": "partial", "reason": redecided.stopped})
            cells, accepted = (sum(getattr(shard, name) for shard in shards) for name in ("cells", "accepted"))
            return GenerateOutcome(cells, accepted, stopped=redecided.stopped)
        if redecided is None:
            warn_of_self_grading(config, plan)
        before = {shard.file: shard for shard in workspace.samples.of_plan(plan.fingerprint)}
        pace, so_far, status = Pace(workspace.usage), GenerateOutcome(), "stopped"

        def report(outcome: GenerateOutcome) -> None:
            nonlocal so_far
            so_far = outcome
            pace.at((outcome.cells, outcome.samples_cap), (outcome.accepted, outcome.accepted_target))

        def tick() -> None:
            progress.line(f"{_progress_text(so_far)}, {pace.text()}")
            keep_usage(workspace)

        predicted = predict(known_sizes(config, plan), config)
        planned = {"plan": plan.fingerprint, "plan_parts": plan.parts, "predicted": asdict(predicted)}
        update_run_json(workspace, {"status": "running", "reason": "", **planned})
        try:
            outcome = run(generate(workspace, plan, report), tick)
            so_far = outcome
            status = "partial" if outcome.stopped else "failed" if outcome.missed else "generated"
        finally:
            counts = count_gradings(workspace.samples, workspace.grades, plan.fingerprint)
            update_run_json(workspace, {"status": status, "reason": so_far.stopped or so_far.missed}, counts)
        graded = f", {words}" if (words := str(counts)) else ""
        has_new_rows = {shard.file: shard for shard in workspace.samples.of_plan(plan.fingerprint)} != before
    log.info(
        f"generate: {_progress_text(outcome)}{graded}"
        + ("" if has_new_rows or outcome.stopped else " (nothing left to do)")
    )
    if outcome.stopped:
        log.info(f"generate: {BudgetMet(outcome.stopped)}")
    return outcome


def _log_if_plan_changed(workspace: Workspace, plan: Plan) -> None:
    state = read_state(workspace.config.output)
    changed = changed_keys(state.get("plan_parts"), plan)
    if changed:
        log.info(
            f"generate: changed since the last run: {', '.join(changed)}; plan {plan.fingerprint[:8]} starts beside it"
        )


def _progress_text(outcome: GenerateOutcome) -> str:
    cells = f"{outcome.cells} cells"
    if outcome.samples_cap is not None:
        cells = f"{outcome.cells} of {'at most ' if outcome.accepted_target else ''}{outcome.samples_cap} cells"
    target = f" of {outcome.accepted_target}" if outcome.accepted_target is not None else ""
    share = f" ({outcome.accepted / outcome.cells:.0%})" if outcome.cells else ""
    return f"{cells}, {outcome.accepted}{target} accepted{share}"
