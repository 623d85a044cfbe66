"""The generate step: generate rows up to the target and report how far the plan has come."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from skillmill.data.export.grading_counts import count_gradings
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, changed_keys, make_plan
from skillmill.flows.predict import known_sizes, predict, share_of_a_cell
from skillmill.flows.ranges.share import before_ranges, opened_range
from skillmill.flows.ranges.split import Range
from skillmill.flows.refresh.stored_plans import store_plan
from skillmill.flows.rows.decide import load_rules
from skillmill.flows.rows.generate import GenerateOutcome, Start, count_unanswered, generate
from skillmill.flows.rows.grading import warn_of_self_grading
from skillmill.flows.rows.redecide import FilterOutcome, ask_again
from skillmill.flows.runtime.loop import run
from skillmill.flows.runtime.progress import Pace, Progress
from skillmill.flows.runtime.remote_output import at_output
from skillmill.flows.runtime.run_json import read_plan_note, recorded_end, update_run_json, write_plan_note
from skillmill.flows.runtime.workspace import Workspace, keep_usage, open_workspace, read_state
from skillmill.flows.steps.filter import DECIDED, last_grader, note_rewritten, redecide_if_changed
from skillmill.flows.steps.taxonomy import current_plan, taxonomy_step
from skillmill.teachers.middleware.accounting import BudgetMet

log = logging.getLogger(__name__)


def generate_range(config: Config, part: Range, is_stopped: Callable[[], bool] = lambda: False) -> GenerateOutcome:
    """Generate a range of the plan in a folder of its own, until `is_stopped` says so.

    Raises `KeyboardInterrupt` if it does, and what `opened_range` raises.
    """
    if is_stopped():
        raise KeyboardInterrupt
    with opened_range(config, part) as (own, first):
        return _generate(own, None, first=first, is_stopped=is_stopped)


@at_output
def generate_step(config: Config, start: Start | None = None) -> GenerateOutcome:
    """Generate and decide rows up to the target; `start` is given in a refresh.

    With `runner.kind` ray or dask, ranges of the plan are generated on that cluster. The cells of `generation.test`
    come first in a local run. If the target is not reached, `missed` or `stopped` of the outcome says why.
    """
    if config.runner.kind != "local" and (stopped := _generate_on_cluster(config)):
        with open_workspace(config) as workspace:
            log.info(f"generate: {BudgetMet(stopped)}")
            return _ended_by_budget(workspace, current_plan(config), stopped)
    if config.generation.test is not None:
        current_plan(config)  # raises before anything is generated
        _generate(config.held_out, None, beside=True)
    return _generate(config, start)


def _generate_on_cluster(config: Config) -> str:
    """Generate the next cells of the plan in ranges and merge them; a merge that was stopped goes on.

    Returns the reason of the budget that ended a range, before the merge, "" if none did.
    """
    from skillmill.flows.ranges.cluster import generate_ranges  # imports Prefect, which takes seconds
    from skillmill.flows.ranges.merge import merge_ranges

    before = before_ranges(config, current_plan(config))
    if before.is_there:
        return ""
    if not before.merge:
        with recorded_end(config.output):
            stopped = generate_ranges(config, before.until - before.cells)
        if stopped:
            return stopped
    merge_ranges(config)
    return ""


def _generate(
    config: Config,
    start: Start | None,
    beside: bool = False,
    first: int = 0,
    is_stopped: Callable[[], bool] = lambda: False,
) -> GenerateOutcome:
    """Generate the rows of one plan; `run.json` goes on naming another one if this is a plan `beside` that.

    `first`: the position of the first cell, if the cells before it are generated elsewhere.
    """
    taxonomy = taxonomy_step(config)
    plan = make_plan(config, taxonomy)
    with open_workspace(config) as workspace, Progress("generate") as progress, recorded_end(config.output):
        store_plan(config, plan, taxonomy)
        if not beside:
            _log_if_plan_changed(workspace, plan)
        update_run_json(workspace, {"status": "running", "reason": ""})
        redecided = redecide_if_changed(workspace, plan, progress, without_reply=True)
        if redecided is None:
            warn_of_self_grading(config, plan)
        asked_again = None
        if redecided is None or not redecided.stopped:
            asked_again = _ask_again_if_unanswered(workspace, plan, progress)
        if stopped := next((each.stopped for each in (redecided, asked_again) if each and each.stopped), ""):
            return _ended_by_budget(workspace, plan, stopped)
        before = {shard.file: shard for shard in workspace.samples.of_plan(plan.fingerprint)}
        pace, so_far, end = Pace(workspace.usage), GenerateOutcome(), dict[str, Any]()

        def report(outcome: GenerateOutcome) -> None:
            nonlocal so_far
            so_far = outcome
            pace.at((outcome.cells, outcome.samples_cap), (outcome.accepted, outcome.accepted_target))

        def tick() -> None:
            if is_stopped():
                raise KeyboardInterrupt  # ends the run as Ctrl-C does
            progress.line(_progress_text(so_far), pace.text())
            keep_usage(workspace)

        if not beside:
            planned = {"plan": plan.fingerprint, "plan_parts": plan.parts, "predicted": None}
            update_run_json(workspace, planned)
        try:
            cell_share = share_of_a_cell(config, plan, workspace.usage)
            outcome = run(generate(workspace, plan, report, start, first, cell_share), tick)
            status = "partial" if outcome.stopped else "failed" if outcome.missed else "generated"
            end = {"status": status, "reason": outcome.stopped or outcome.missed}
            if not beside:  # only now, because rendering the prompts of a few cells would delay the first request
                end["predicted"] = asdict(predict(known_sizes(config, plan), config))
        finally:
            counts = count_gradings(workspace.samples, workspace.grades, plan.fingerprint)
            update_run_json(workspace, end, counts)
        graded = f", {words}" if (words := str(counts)) else ""
        has_new_rows = {shard.file: shard for shard in workspace.samples.of_plan(plan.fingerprint)} != before
    idle = not (has_new_rows or outcome.stopped or asked_again)
    what = "generate: held-out cells for the split test: " if beside else "generate: "
    log.info(f"{what}{_progress_text(outcome)}{graded}" + (" (nothing left to do)" if idle else ""))
    if outcome.unanswered:
        log.warning(f"warning: {outcome.unanswered} cells got no answer; the same command asks for them again")
    if outcome.stopped:
        log.info(f"generate: {BudgetMet(outcome.stopped)}")
    return outcome


def _ended_by_budget(workspace: Workspace, plan: Plan, reason: str) -> GenerateOutcome:
    """Record the end of a run that generated no more rows, and return how far the plan has come."""
    update_run_json(workspace, {"status": "partial", "reason": reason})
    return GenerateOutcome(*_stored_cells(workspace, plan), stopped=reason)


def _ask_again_if_unanswered(workspace: Workspace, plan: Plan, progress: Progress) -> FilterOutcome | None:
    """Generate the stored cells that got no reply again; return None if there are none or no more rows are needed.

    While this runs, `run.json` names no rules for the plan, so that a run after a kill decides all its rows again.
    """
    key, target = plan.fingerprint, workspace.config.generation.accepted
    unanswered = count_unanswered(workspace.samples, key)
    if not unanswered or (target is not None and _stored_cells(workspace, plan)[1] >= target):
        return None
    log.info(f"generate: asking again for {unanswered} cells that got no answer")
    decided_by = read_plan_note(workspace, DECIDED).get(key) or {}
    write_plan_note(workspace, DECIDED, key, last_grader(decided_by))
    outcome, pace = FilterOutcome(), Pace(workspace.usage)

    def tick() -> None:
        progress.line(f"{outcome.cells} stored cells gone through", pace.text())
        keep_usage(workspace)

    run(ask_again(workspace, plan, load_rules(workspace.config), outcome), tick)
    if outcome.shards:
        note_rewritten(workspace, plan)
    if not outcome.stopped:
        write_plan_note(workspace, DECIDED, key, decided_by)
    return outcome


def _stored_cells(workspace: Workspace, plan: Plan) -> tuple[int, int]:
    """Return how many cells the plan's shards have, and how many of them are accepted."""
    shards = workspace.samples.of_plan(plan.fingerprint)
    return sum(shard.cells for shard in shards), sum(shard.accepted for shard in shards)


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
