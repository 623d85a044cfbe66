"""The filter step: stored rows are decided again, without a teacher."""

import asyncio

from skillmill.filters.overrides import read_overrides
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, make_plan
from skillmill.flows.progress import say
from skillmill.flows.refilter import (
    Refiltered,
    load_rules,
    override,
    overrides_fingerprint,
    refilter,
    without_row,
)
from skillmill.flows.steps.state import note, noted
from skillmill.flows.steps.taxonomy import existing_taxonomy
from skillmill.flows.workspace import Workspace, open_workspace


def filter_step(config: Config, again: bool = True) -> None:
    """Decide the stored rows again by the settings as they stand; `again` is False where only a change matters.

    No teacher is asked. Raises `SkillmillError` where there is no run yet.
    """
    plan = make_plan(config, existing_taxonomy(config))
    with open_workspace(config) as workspace:
        if settle(workspace, plan, again) is None:
            shards = workspace.samples.of_plan(plan.fingerprint)
            say(f"filter: {sum(shard.rows for shard in shards)} rows, all decided by these settings")
        _warn(workspace, plan)


def settle(workspace: Workspace, plan: Plan, again: bool = False) -> Refiltered | None:
    """Decide the stored rows again where the filters or overrides are not those that they were decided by.

    None where nothing was to be done. While it is at work `run.json` names no rules, so that a kill half way is seen.
    """
    rules, key = load_rules(workspace.config), plan.fingerprint
    wanted, decided_by = rules.fingerprints(), noted(workspace, "decided")
    stored = workspace.samples.of_plan(key)
    if not (stored and (again or decided_by.get(key) != wanted)):
        if decided_by.get(key) != wanted:
            note(workspace, "decided", key, wanted)
        return None
    note(workspace, "decided", key, {})
    found = asyncio.run(refilter(workspace, plan, rules))
    note(workspace, "decided", key, wanted)
    _say_what_changed("filter", found)
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
    say(f"{step}: {found.rows} rows decided again, {changed}{share}, {found.shards} shards rewritten")


def _warn(workspace: Workspace, plan: Plan) -> None:
    for line in without_row(workspace, plan, read_overrides(workspace.config.output)):
        say(f"warning: {line}")
