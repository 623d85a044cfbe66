"""The run as plain function calls; `prefect_run.py` runs the same calls as Prefect tasks."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from skillmill.data.errors import SkillmillError
from skillmill.data.export.funnel import Funnel
from skillmill.flows.checks import check_run
from skillmill.flows.config import Config
from skillmill.flows.rows.reason_warning import leading_reason
from skillmill.flows.runtime.output_lock import hold_output
from skillmill.flows.runtime.remote_output import at_output
from skillmill.flows.runtime.run_json import recorded_end
from skillmill.flows.steps.export import export_step
from skillmill.flows.steps.filter import filter_step
from skillmill.flows.steps.generate import generate_step
from skillmill.flows.steps.pairs import pairs_step, wants_pairs
from skillmill.flows.steps.report import report_step
from skillmill.flows.steps.taxonomy import taxonomy_step
from skillmill.flows.steps.train import train_step
from skillmill.teachers.middleware.accounting import BudgetMet

log = logging.getLogger(__name__)

Step = Callable[..., Any]
Results = dict[str, Path]
Wrap = Callable[[str, Step], Step]
"""Wraps a step: `wrap(name, function)` returns the function to call, such as a Prefect task."""
ShowCounts = Callable[[dict[str, Any]], None]
"""Called with the counts of rows after an export."""


def plain_step(name: str, function: Step) -> Step:
    """Return the function itself: a step that is a plain call."""
    return function


@at_output
def run(config: Config, step: Wrap = plain_step, show_counts: ShowCounts = lambda funnel: None) -> Results:
    """Run taxonomy, generate (with the row filters), filter, pairs, export, train, report and publish.

    Args:
        config: The configuration of the run.
        step: Wraps each step.
        show_counts: Called after the export.

    Returns the paths of the results by name. Raises `SkillmillError` if the target was missed, after the export. A
    budget that is met ends generation and pairs early and skips training and publishing; it is not an error.
    """
    check_run(config)
    with hold_output(config.output, config.work), recorded_end(config.output):
        return _run_steps(config, step, show_counts)


def _run_steps(config: Config, step: Wrap, show_counts: ShowCounts) -> Results:
    try:
        step("taxonomy", taxonomy_step)(config)
    except BudgetMet as met:  # there is no taxonomy to generate from yet
        log.info(f"taxonomy: {met}")
        return {}
    outcome = step("generate", generate_step)(config)
    step("filter", filter_step)(config, again=False)
    stopped = outcome.stopped
    if wants_pairs(config):
        stopped = step("pairs", pairs_step)(config).stopped or stopped
    exported = step("export", export_step)(config)
    show_counts(exported.funnel.as_dict())
    paths = {"dataset": config.output / "export"}
    missed = outcome.missed or ("" if stopped else _without_rows(exported.funnel))
    if not missed and not stopped:
        paths |= train_steps(config, step)
    status = "failed" if missed else "partial" if stopped else "finished"
    paths["report"] = step("report", report_step)(config, status, missed or stopped)
    if missed:
        raise SkillmillError(f"{missed}; what there is was exported to {config.place(paths['dataset'])}")
    if not stopped:
        publish_step(config, step)
    return paths


def _without_rows(funnel: Funnel) -> str:
    """Return why no row was accepted, "" if one was."""
    if funnel.accepted_rows:
        return ""
    return f"generate: no row was accepted: {leading_reason(funnel.reasons, funnel.rows)}"


def publish_step(config: Config, step: Wrap = plain_step) -> None:
    """Publish the newest version on the Hugging Face Hub if `export.repo_id` is set. Raises `HubError`."""
    if config.export.repo_id is not None:
        from skillmill.flows.commands.publish import publish  # huggingface_hub takes a second to import

        step("publish", publish)(config)


def train_steps(config: Config, step: Wrap = plain_step) -> Results:
    """Train the student as `train` says; return the folder of each model by name."""
    models: Results = {}
    for method in config.train.stages if config.train is not None else ():
        models[f"{method} model"] = step(f"train {method}", train_step)(config, method)
    return models
