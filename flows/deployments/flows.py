"""The flows that can be deployed: each one is the work of a command. `deployable` adds what they share."""

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from prefect import Flow
from prefect.context import FlowRunContext

from skillmill.flows.checks import check_settings
from skillmill.flows.config import Config
from skillmill.flows.deployments.artifacts import show_counts, show_markdown
from skillmill.flows.deployments.parameters import (
    EvaluateParameters,
    Parameters,
    PublishParameters,
    RefreshParameters,
)
from skillmill.flows.deployments.review import ask_in_ui
from skillmill.flows.deployments.running import deployable
from skillmill.flows.pipeline import Wrap, train_steps
from skillmill.flows.pipeline import run as run_steps
from skillmill.flows.prefect_run import publish_funnel
from skillmill.flows.refresh.refresh import refresh as refresh_steps
from skillmill.flows.refresh.refresh import utc_text
from skillmill.flows.steps.filter import filter_step
from skillmill.flows.steps.generate import generate_step
from skillmill.flows.steps.taxonomy import taxonomy_step

if TYPE_CHECKING:
    from skillmill.data.hub.publish import PublishResult


@deployable("run", Parameters, steps=6, begins=True, asks=True)
def run(config: Config, given: Parameters, step: Wrap) -> None:
    """Do the whole job, from the taxonomy to the dataset; goes on where it stopped."""
    run_steps(config, step, partial(publish_funnel, config))


@deployable("refresh", RefreshParameters, steps=5, asks=True)
def refresh(config: Config, given: RefreshParameters, step: Wrap) -> None:
    """Generate the next range of the plan and export it as a new version."""
    refresh_steps(config, key_time(given.scheduled_time), step, partial(publish_funnel, config), ask_in_ui)


@deployable("taxonomy", Parameters, steps=1, begins=True, asks=True)
def taxonomy(config: Config, given: Parameters, step: Wrap) -> None:
    """Make the taxonomy of the run; one that is there is left alone."""
    made = step("taxonomy", taxonomy_step)(config)
    counts = {"skills": len(made.skills), "topics": len(made.topics), "query types": len(made.query_types)}
    show_counts(f"Taxonomy of {config.name}", counts)


@deployable("generate", Parameters, steps=1, asks=True)
def generate(config: Config, given: Parameters, step: Wrap) -> None:
    """Generate rows and decide them, up to the target."""
    check_settings(config)
    outcome = step("generate", generate_step)(config)
    counts = {"cells": outcome.cells, "accepted cells": outcome.accepted, "ended early": outcome.stopped or "no"}
    show_counts(f"Cells of {config.name}", counts)


@deployable("filter", Parameters, steps=1)
def filter_rows(config: Config, given: Parameters, step: Wrap) -> None:
    """Decide the stored rows again by the current filters."""
    outcome = step("filter", filter_step)(config)
    names = ("rows", "newly_accepted", "newly_rejected", "cells", "accepted")
    show_counts(f"Rows of {config.name}", {name.replace("_", " "): getattr(outcome, name) for name in names})


@deployable("publish", PublishParameters, steps=1)
def publish(config: Config, given: PublishParameters, step: Wrap) -> None:
    """Publish the newest version on the Hugging Face Hub."""
    from skillmill.flows.commands.publish import publish as publish_version  # huggingface_hub: a second to import

    def publish_newest(config: Config) -> "PublishResult":
        return publish_version(config, without_license=given.without_license)

    result = step("publish", publish_newest)(config)
    counts = {"version": result.version, "repository": result.repo_id, "page": result.url}
    show_counts(f"Publication of {config.name}", counts)


@deployable("train", Parameters, steps=2)
def train(config: Config, given: Parameters, step: Wrap) -> None:
    """Train the student on the exported dataset, as the section train says."""
    models = train_steps(config, step)
    show_counts(f"Models of {config.name}", dict(models) or {"models": "none: the section train is not set"})


@deployable("evaluate", EvaluateParameters, steps=1, asks=True)
def evaluate(config: Config, given: EvaluateParameters, step: Wrap) -> None:
    """Evaluate the student with Skill-Mix on cells that training has not seen, as the section evaluate says."""
    from skillmill.flows.commands.evaluate import run_evaluation  # imports what evaluation needs
    from skillmill.train.evaluation.outputs import markdown_table

    metrics = step("evaluate", run_evaluation)(config, given.student, given.baseline)
    show_markdown("evaluation", f"Evaluation of {config.name}", markdown_table(metrics))


FLOWS: dict[str, Flow[..., Any]] = {
    "run": run,
    "refresh": refresh,
    "taxonomy": taxonomy,
    "generate": generate,
    "filter": filter_rows,
    "publish": publish,
    "train": train,
    "evaluate": evaluate,
}
"""All flows by the name of their command."""


def key_time(given: datetime | None) -> str | None:
    """Return the time that names a refresh: the given one, else that of the schedule that started this flow run."""
    if given is not None:
        return utc_text(given)
    context = FlowRunContext.get()
    started = context.flow_run if context else None
    if started is None or not started.auto_scheduled or started.expected_start_time is None:
        return None
    return utc_text(started.expected_start_time)
