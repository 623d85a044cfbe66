"""A refresh: the next range of the plan, all rows filtered by the settings of today, exported as a new version."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from skillmill.data.errors import ConfigError
from skillmill.data.versions import Version, Versions, adopt_exported, write_versions
from skillmill.flows.checks import check_run
from skillmill.flows.config import Config
from skillmill.flows.pipeline import ShowCounts, Wrap, plain_step, publish_step, train_steps
from skillmill.flows.plan import Plan
from skillmill.flows.ranges.split import Range, range_config
from skillmill.flows.refresh.draft_version import draft_version
from skillmill.flows.refresh.open_refresh import OpenRefresh, close_refresh, read_open_refresh, write_open_refresh
from skillmill.flows.refresh.redecide_plans import redecide_plans
from skillmill.flows.rows.generate import GenerateOutcome, Start
from skillmill.flows.runtime.output_lock import hold_output
from skillmill.flows.runtime.remote_output import at_output
from skillmill.flows.runtime.workspace import open_workspace
from skillmill.flows.steps.export import export_step
from skillmill.flows.steps.generate import generate_step
from skillmill.flows.steps.pairs import pairs_step, wants_pairs
from skillmill.flows.steps.report import report_step
from skillmill.flows.steps.taxonomy import current_plan, existing_taxonomy

log = logging.getLogger(__name__)

Review = Literal["keep", "drop"]
"""What a reviewer decided about the new rows of a refresh."""
AskReviewer = Callable[[str, Path], Review | None]
"""Returns the decision about a version, given its name and the path of its report; None if there is none yet."""


@dataclass(frozen=True)
class _Hooks:
    """What the caller of a refresh adds: see the arguments of `refresh`."""

    step: Wrap
    show_counts: ShowCounts
    review: AskReviewer


@at_output
def refresh(
    config: Config,
    scheduled_time: str | None = None,
    step: Wrap = plain_step,
    show_counts: ShowCounts = lambda funnel: None,
    review: AskReviewer = lambda version, report: None,
) -> Version | None:
    """Finish an open refresh, then make the version of `scheduled_time` unless there is one.

    Args:
        config: The configuration of the run.
        scheduled_time: When the refresh was due, as `parse_time` returns it; it names the refresh. None: now, without
            a name, so that each call makes a version.
        step: Wraps each step, as in `pipeline.run`.
        show_counts: Called after each export.
        review: Asks a person about the new rows if `refresh.review` is on.

    Returns the newest version, None if nothing was exported. Raises `SkillmillError` if `output_dir` has no run,
    `OutputInUse` if another run holds it.
    """
    existing_taxonomy(config)
    config = _with_weights(config)
    check_run(config)
    if config.runner.kind != "local":
        range_config(_with_own_target(config), Range(1, 1))  # raises if ranges cannot share the new cells
    with hold_output(config.output, config.work):
        return _refresh(config, scheduled_time, _Hooks(step, show_counts, review))


def _refresh(config: Config, scheduled_time: str | None, hooks: _Hooks) -> Version | None:
    versions = adopt_exported(config.output)
    opened = read_open_refresh(config)
    if opened is not None:
        log.info(f"refresh: finishing {_title(opened)}")
        if not _finish(config, opened, hooks) or opened.scheduled_time == scheduled_time:
            return read_current(config)
        versions = adopt_exported(config.output)
    if scheduled_time is not None and (done := versions.at(scheduled_time)):
        log.info(f"refresh: {scheduled_time} is {done.version} already, nothing left to do")
        return versions.current
    opened = _begin(config, versions, scheduled_time)
    log.info(f"refresh: {_title(opened)} begins")
    _finish(config, opened, hooks)
    return read_current(config)


def read_current(config: Config) -> Version | None:
    """Return the newest version that was not withdrawn, None if there is none."""
    return adopt_exported(config.output).current


def parse_time(text: str, key: str = "--scheduled-time") -> str:
    """Return a time in ISO 8601 in UTC, as versions record it; a time without an offset is UTC.

    Raises `ConfigError` that names `key` if `text` is no such time.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(
            f"{key}: expected a time in ISO 8601, such as 2026-11-30T03:00:00+00:00, got {text!r}"
        ) from None
    return utc_text(moment)


def utc_text(moment: datetime) -> str:
    """Return a time in UTC to the second, such as 2026-11-30T03:00:00+00:00."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="seconds")


def _begin(config: Config, versions: Versions, scheduled_time: str | None) -> OpenRefresh:
    plan = current_plan(_without_target(config))
    with open_workspace(config) as workspace:
        usage = workspace.usage
        opened = OpenRefresh(
            version=versions.next_name,
            scheduled_time=scheduled_time,
            plan=plan.fingerprint,
            cells=None,
            accepted=None,
            tokens=usage.tokens,
            money=usage.money or 0.0,
            hours=usage.wall_s / 3600,
        )
        write_open_refresh(config, opened)
    return opened


def _finish(config: Config, opened: OpenRefresh, hooks: _Hooks) -> bool:
    """Make the version of an open refresh, then train, report and publish; return False if it waits for a reviewer."""
    versions = adopt_exported(config.output)
    is_recorded = _is_recorded(opened, versions)
    if not is_recorded:
        opened = _prepare(config, opened, versions, hooks)
    plan = current_plan(_without_target(config))
    config = _with_target(config, opened, plan)
    if not is_recorded and not _make_version(config, opened, plan, hooks):
        return False
    version = read_current(config)
    is_new = version is not None and version.version == opened.version
    note = version.note if version and is_new else ""
    if config.refresh.train and is_new:
        train_steps(config, hooks.step)
    hooks.step("report", report_step)(config, "finished", note)
    if is_new:
        publish_step(config, hooks.step)
    close_refresh(config)
    return True


def _is_recorded(opened: OpenRefresh, versions: Versions) -> bool:
    """Return whether the version of an open refresh was recorded before it was interrupted."""
    same = (each for each in versions.entries if each.version == opened.version)
    return any(each.scheduled_time == opened.scheduled_time for each in same)


def _prepare(config: Config, opened: OpenRefresh, versions: Versions, hooks: _Hooks) -> OpenRefresh:
    """Decide the stored rows again; return the open refresh with the number of its version and its counts at the start.

    A run that made a version in the meantime has taken the number.
    """
    if opened.version != versions.next_name:
        opened = replace(opened, version=versions.next_name)
        write_open_refresh(config, opened)
    hooks.step("filter", redecide_plans)(_without_target(config))
    return _with_start(config, opened, current_plan(_without_target(config)))


def _make_version(config: Config, opened: OpenRefresh, plan: Plan, hooks: _Hooks) -> bool:
    """Generate and export the rows of an open refresh; return False if it waits for a reviewer."""
    start = Start(opened.cells or 0, opened.accepted or 0, config.refresh.min_accepted_share)
    outcome = hooks.step("generate", generate_step)(config, start)
    note = _note(outcome, start, plan)
    if note:
        log.warning(f"refresh: {note}")
    if config.refresh.review:
        report = hooks.step("report", report_step)(config, "review", f"{opened.version} waits for a review")
        decision = hooks.review(opened.version, report)
        if decision is None:
            log.info(
                f"refresh: {opened.version} waits for a review: read {config.place(report)}, then run the refresh with "
                "--review keep or --review drop"
            )
            return False
        if decision == "drop":
            _withdraw(config, opened, plan)
            return True
    if wants_pairs(config):
        hooks.step("pairs", pairs_step)(config)
    exported = hooks.step("export", export_step)(config, True, opened.scheduled_time, note)
    hooks.show_counts(exported.funnel.as_dict())
    if not exported.is_new:
        log.info(f"refresh: no new rows, {exported.version.version} stays the newest version")
    elif exported.version.changed:
        log.info(f"refresh: {exported.version.version} is a new plan: {', '.join(exported.version.changed)} changed")
    return True


def _with_start(config: Config, opened: OpenRefresh, plan: Plan) -> OpenRefresh:
    """Return the open refresh with the counts at its start; they are recorded once for each plan."""
    if opened.plan == plan.fingerprint and opened.cells is not None:
        return opened
    with open_workspace(config) as workspace:
        shards = workspace.samples.of_plan(plan.fingerprint)
        cells, accepted = sum(shard.cells for shard in shards), sum(shard.accepted for shard in shards)
        opened = replace(opened, plan=plan.fingerprint, cells=cells, accepted=accepted)
        write_open_refresh(config, opened)
    return opened


def _with_weights(config: Config) -> Config:
    if config.refresh.weights is None:
        return config
    generation = config.generation.model_copy(update={"weights": config.refresh.weights})
    return config.model_copy(update={"generation": generation})


def _without_target(config: Config) -> Config:
    """Return the configuration with the smallest target, for steps that only need the plan."""
    generation = config.generation.model_copy(update={"samples": 1, "accepted": None})
    return config.model_copy(update={"generation": generation})


def _with_own_target(config: Config) -> Config:
    """Return the configuration with the numbers of new cells in `refresh` in the place of those in `generation`."""
    own = config.refresh
    if own.accepted is None and own.samples is None:
        return config
    generation = config.generation.model_copy(update={"samples": own.samples, "accepted": own.accepted})
    return config.model_copy(update={"generation": generation})


def _with_target(config: Config, opened: OpenRefresh, plan: Plan) -> Config:
    """Return the configuration whose target and budget count from the start of the refresh."""
    generation, budget = _with_own_target(config).generation, config.budget
    cells, accepted_cells = opened.cells or 0, opened.accepted or 0
    target = {
        "accepted": None if generation.accepted is None else min(accepted_cells + generation.accepted, plan.size),
        "samples": None if generation.samples is None else min(cells + generation.samples, plan.size),
    }
    caps = {
        "tokens": None if budget.tokens is None else opened.tokens + budget.tokens,
        "money": None if budget.money is None else opened.money + budget.money,
        "hours": None if budget.hours is None else opened.hours + budget.hours,
    }
    return config.model_copy(
        update={
            "generation": generation.model_copy(update=target),
            "budget": budget.model_copy(update=caps),
        }
    )


def _note(outcome: GenerateOutcome, start: Start, plan: Plan) -> str:
    """Return why a refresh has fewer rows than asked for and what to change, "" if it has all."""
    cells, accepted = outcome.cells - start.cells, outcome.accepted - start.accepted
    if outcome.stopped:
        return outcome.stopped
    if outcome.hopeless:
        return (
            f"{accepted} of {cells} new cells are accepted, less than refresh.min_accepted_share "
            f"({start.least_share:g}): report.html says why rows are rejected"
        )
    if outcome.cells >= plan.size or (outcome.missed and not outcome.done):
        return (
            f"the space of cells is used up after {cells} new cells, {accepted} of them accepted; a larger "
            "generation.k, more skills or another seed make new cells"
        )
    return outcome.missed


def _withdraw(config: Config, opened: OpenRefresh, plan: Plan) -> None:
    """Record that the new rows of a refresh were dropped; their cells count as tried."""
    with open_workspace(config) as workspace:
        versions = adopt_exported(config.output)
        draft = draft_version(workspace, [plan], versions, True, opened.scheduled_time, "dropped by a reviewer")
        withdrawn = replace(draft, withdrawn=True)
        if current := versions.current:
            withdrawn = replace(withdrawn, rows=current.rows, export_sha256=current.export_sha256)
        write_versions(config.output, [*versions.entries, withdrawn])
    log.info(f"refresh: {opened.version} was dropped by a reviewer; no export has its rows")


def _title(opened: OpenRefresh) -> str:
    return opened.version + (f", scheduled for {opened.scheduled_time}" if opened.scheduled_time else "")
