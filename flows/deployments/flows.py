"""The flows that can be deployed. Prefect's UI makes the form of a flow from its arguments and their descriptions."""

from datetime import datetime
from functools import partial
from typing import Any

from prefect import Flow, flow
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext

from skillmill.flows.checks import check_settings
from skillmill.flows.config import Config
from skillmill.flows.deployments.artifacts import show_counts
from skillmill.flows.deployments.review import ask_in_ui
from skillmill.flows.deployments.running import carry_out, run_name
from skillmill.flows.pipeline import Wrap, train_steps
from skillmill.flows.pipeline import run as run_steps
from skillmill.flows.prefect_run import publish_funnel
from skillmill.flows.refresh.refresh import parse_time, utc_text
from skillmill.flows.refresh.refresh import refresh as refresh_steps
from skillmill.flows.steps.filter import filter_step
from skillmill.flows.steps.generate import generate_step
from skillmill.flows.steps.taxonomy import taxonomy_step


@flow(name="skillmill-run", flow_run_name=run_name, validate_parameters=False)
def run(config_path: str, overrides: list[str] | None = None) -> State[Any]:
    """Do the whole job, from the taxonomy to the dataset; goes on where it stopped.

    Args:
        config_path: The absolute path of the configuration on the machine of the worker.
        overrides: Values that replace some of the configuration, such as generation.samples=500. No secrets.
    """

    def work(config: Config, step: Wrap) -> None:
        run_steps(config, step, partial(publish_funnel, config))

    return carry_out(config_path, overrides, work, steps=6, begins=True, asks=True)


@flow(name="skillmill-refresh", flow_run_name=run_name, validate_parameters=False)
def refresh(config_path: str, scheduled_time: datetime | None = None, overrides: list[str] | None = None) -> State[Any]:
    """Generate the next range of the plan and export it as a new version.

    Args:
        config_path: The absolute path of the configuration on the machine of the worker.
        scheduled_time: When the refresh was due. Empty: the time of the schedule that started the run, or none.
        overrides: Values that replace some of the configuration, such as refresh.accepted=500. No secrets.
    """

    def work(config: Config, step: Wrap) -> None:
        refresh_steps(config, key_time(scheduled_time), step, partial(publish_funnel, config), ask_in_ui)

    return carry_out(config_path, overrides, work, steps=5, asks=True)


@flow(name="skillmill-taxonomy", flow_run_name=run_name, validate_parameters=False)
def taxonomy(config_path: str, overrides: list[str] | None = None) -> State[Any]:
    """Make the taxonomy of the run; one that is there is left alone.

    Args:
        config_path: The absolute path of the configuration on the machine of the worker.
        overrides: Values that replace some of the configuration. No secrets.
    """

    def work(config: Config, step: Wrap) -> None:
        made = step("taxonomy", taxonomy_step)(config)
        counts = {"skills": len(made.skills), "topics": len(made.topics), "query types": len(made.query_types)}
        show_counts(f"Taxonomy of {config.name}", counts)

    return carry_out(config_path, overrides, work, steps=1, begins=True, asks=True)


@flow(name="skillmill-generate", flow_run_name=run_name, validate_parameters=False)
def generate(config_path: str, overrides: list[str] | None = None) -> State[Any]:
    """Generate rows and decide them, up to the target.

    Args:
        config_path: The absolute path of the configuration on the machine of the worker.
        overrides: Values that replace some of the configuration, such as generation.samples=500. No secrets.
    """

    def work(config: Config, step: Wrap) -> None:
        check_settings(config)
        outcome = step("generate", generate_step)(config)
        counts = {"cells": outcome.cells, "accepted cells": outcome.accepted, "ended early": outcome.stopped or "no"}
        show_counts(f"Cells of {config.name}", counts)

    return carry_out(config_path, overrides, work, steps=1, asks=True)


@flow(name="skillmill-filter", flow_run_name=run_name, validate_parameters=False)
def filter_rows(config_path: str, overrides: list[str] | None = None) -> State[Any]:
    """Decide the stored rows again by the current filters.

    Args:
        config_path: The absolute path of the configuration on the machine of the worker.
        overrides: Values that replace some of the configuration, such as filters.too_short.min_words=40. No secrets.
    """

    def work(config: Config, step: Wrap) -> None:
        outcome = step("filter", filter_step)(config)
        names = ("rows", "newly_accepted", "newly_rejected", "cells", "accepted")
        counts = {name.replace("_", " "): getattr(outcome, name, "") for name in names}
        show_counts(f"Rows of {config.name}", counts)

    return carry_out(config_path, overrides, work, steps=1)


@flow(name="skillmill-publish", flow_run_name=run_name, validate_parameters=False)
def publish(config_path: str, without_license: bool = False, overrides: list[str] | None = None) -> State[Any]:
    """Publish the newest version on the Hugging Face Hub.

    Args:
        config_path: The absolute path of the configuration on the machine of the worker.
        without_license: Publish openly although teacher.license is not set.
        overrides: Values that replace some of the configuration. No secrets.
    """
    from skillmill.flows.commands.publish import publish as publish_version  # huggingface_hub: a second to import

    def work(config: Config, step: Wrap) -> None:
        def publish_newest(config: Config) -> Any:
            return publish_version(config, without_license=without_license)

        result = step("publish", publish_newest)(config)
        counts = {"version": result.version, "repository": result.repo_id, "page": result.url}
        show_counts(f"Publication of {config.name}", counts)

    return carry_out(config_path, overrides, work, steps=1)


@flow(name="skillmill-train", flow_run_name=run_name, validate_parameters=False)
def train(config_path: str, overrides: list[str] | None = None) -> State[Any]:
    """Train the student on the exported dataset, as the section train says.

    Args:
        config_path: The absolute path of the configuration on the machine of the worker.
        overrides: Values that replace some of the configuration, such as train.sft.max_steps=100. No secrets.
    """

    def work(config: Config, step: Wrap) -> None:
        models = train_steps(config, step)
        show_counts(f"Models of {config.name}", dict(models) or {"models": "none: the section train is not set"})

    return carry_out(config_path, overrides, work, steps=2)


FLOWS: dict[str, Flow[..., Any]] = {
    "run": run,
    "refresh": refresh,
    "taxonomy": taxonomy,
    "generate": generate,
    "filter": filter_rows,
    "publish": publish,
    "train": train,
}
"""All flows by the name of their command."""


def key_time(given: datetime | str | None) -> str | None:
    """Return the time that names a refresh: the given one, else that of the schedule that started this flow run."""
    if given is not None:
        return parse_time(given) if isinstance(given, str) else utc_text(given)
    context = FlowRunContext.get()
    started = context.flow_run if context else None
    if started is None or not started.auto_scheduled or started.expected_start_time is None:
        return None
    return utc_text(started.expected_start_time)
