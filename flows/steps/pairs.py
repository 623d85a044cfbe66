"""The pairs step: preference pairs for the accepted rows."""

import asyncio

from skillmill.flows.config import Config
from skillmill.flows.pairs import PairsOutcome, make_pairs, pairs_plan
from skillmill.flows.plan import Plan
from skillmill.flows.progress import Pace, Progress, say, ticking
from skillmill.flows.steps.state import note, noted, remember
from skillmill.flows.steps.taxonomy import current_plan
from skillmill.flows.workspace import Workspace, keep_usage, open_workspace
from skillmill.teachers.accounting import BudgetMet


def pairs_step(config: Config) -> PairsOutcome:
    """Make the preference pairs that are not there yet."""
    plan = current_plan(config)
    with open_workspace(config) as workspace, Progress("pairs") as progress:
        pace, outcome = Pace(workspace.usage), PairsOutcome()
        _drop_old_pairs(workspace, plan)

        def tick() -> None:
            progress.line(f"{outcome.rows} rows, {outcome.pairs} pairs, {pace.text()}")
            keep_usage(workspace)

        try:
            asyncio.run(ticking(make_pairs(workspace, plan, outcome), tick))
        finally:
            remember(workspace, {"status": "partial", "reason": outcome.stopped} if outcome.stopped else {})
    lost = f", dropped {dict(sorted(outcome.dropped.items()))}" if outcome.dropped else ""
    say(f"pairs: {outcome.pairs} made from {', '.join(config.pairs.sources)}{lost}")
    if outcome.stopped:
        say(f"pairs: {BudgetMet(outcome.stopped)}")
    return outcome


def _drop_old_pairs(workspace: Workspace, plan: Plan) -> None:
    """Pairs belong to accepted rows: where those were decided again, pairs are made anew, from the journal."""
    name = pairs_plan(plan, workspace.config.pairs)
    decided_by = noted(workspace, "decided").get(plan.fingerprint)
    if noted(workspace, "paired").get(name) != decided_by:
        workspace.pairs.drop(name)
        note(workspace, "paired", name, decided_by)
