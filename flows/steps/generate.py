"""The generate step: rows up to the target."""

from dataclasses import asdict

from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, changed_keys
from skillmill.flows.predict import known_sizes, predict
from skillmill.flows.rows.generate import Outcome, generate
from skillmill.flows.rows.grading import warn_of_own_work
from skillmill.flows.runtime.loop import run
from skillmill.flows.runtime.progress import Pace, Progress, say
from skillmill.flows.runtime.run_json import remember
from skillmill.flows.runtime.workspace import Workspace, keep_usage, open_workspace, read_state
from skillmill.flows.steps.filter import settle
from skillmill.flows.steps.taxonomy import current_plan
from skillmill.teachers.middleware.accounting import BudgetMet


def generate_step(config: Config) -> Outcome:
    """Generate and filter up to the target. What kept it from there (`missed`, `stopped`) is in the outcome."""
    plan = current_plan(config)
    with open_workspace(config) as workspace, Progress("generate") as progress:
        _announce(workspace, plan)
        settled = settle(workspace, plan, progress)
        if settled is not None and settled.stopped:
            shards = workspace.samples.of_plan(plan.fingerprint)
            remember(workspace, {"status": "partial", "reason": settled.stopped})
            cells, accepted = (sum(getattr(shard, name) for shard in shards) for name in ("cells", "accepted"))
            return Outcome(cells, accepted, stopped=settled.stopped)
        if settled is None:
            warn_of_own_work(config, plan)
        before = {shard.file: shard for shard in workspace.samples.of_plan(plan.fingerprint)}
        pace, seen, status = Pace(workspace.usage), Outcome(), "stopped"

        def report(outcome: Outcome) -> None:
            nonlocal seen
            seen = outcome
            pace.at((outcome.cells, outcome.samples_cap), (outcome.accepted, outcome.accepted_target))

        def tick() -> None:
            progress.line(f"{_so_far(seen)}, {pace.text()}")
            keep_usage(workspace)

        predicted = predict(known_sizes(config, plan), config)
        about = {"plan": plan.fingerprint, "plan_parts": plan.parts, "predicted": asdict(predicted)}
        remember(workspace, {"status": "running", "reason": "", **about})
        try:
            outcome = run(generate(workspace, plan, report), tick)
            seen = outcome
            status = "partial" if outcome.stopped else "failed" if outcome.missed else "generated"
        finally:
            remember(workspace, {"status": status, "reason": seen.stopped or seen.missed})
        worked = {shard.file: shard for shard in workspace.samples.of_plan(plan.fingerprint)} != before
    say(f"generate: {_so_far(outcome)}" + ("" if worked or outcome.stopped else " (nothing left to do)"))
    if outcome.stopped:
        say(f"generate: {BudgetMet(outcome.stopped)}")
    return outcome


def _announce(workspace: Workspace, plan: Plan) -> None:
    state = read_state(workspace.config.output)
    changed = changed_keys(state.get("plan_parts"), plan)
    if changed:
        say(f"generate: changed since the last run: {', '.join(changed)}; plan {plan.fingerprint[:8]} starts beside it")


def _so_far(outcome: Outcome) -> str:
    cells = f"{outcome.cells} cells"
    if outcome.samples_cap is not None:
        cells = f"{outcome.cells} of {'at most ' if outcome.accepted_target else ''}{outcome.samples_cap} cells"
    target = f" of {outcome.accepted_target}" if outcome.accepted_target is not None else ""
    share = f" ({outcome.accepted / outcome.cells:.0%})" if outcome.cells else ""
    return f"{cells}, {outcome.accepted}{target} accepted{share}"
