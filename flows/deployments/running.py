"""What all deployed flows share: messages, lock of the directory, slot of the teacher, retries and artifacts."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from prefect import Flow, flow
from prefect.assets import Asset, materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.concurrency.sync import concurrency
from prefect.runtime import flow_run
from prefect.states import Completed

from skillmill.data.errors import SkillmillError
from skillmill.flows.config import Config
from skillmill.flows.deployments.artifacts import StepProgress, show_versions
from skillmill.flows.deployments.parameters import Model, read_parameters, signature_of
from skillmill.flows.pipeline import Step, Wrap
from skillmill.flows.prefect_run import (
    as_task,
    load_parameters,
    may_pass,
    messages_in_run_log,
    refuse_temporary_folders,
)
from skillmill.flows.refresh.refresh import read_current
from skillmill.flows.runtime.output_lock import OutputInUse, hold_output
from skillmill.flows.runtime.remote_output import held_copy
from skillmill.flows.steps.taxonomy import existing_taxonomy

log = logging.getLogger(__name__)

Work = Callable[[Config, Model, Wrap], None]


def deployable(
    command: str, model: type[Model], *, steps: int, begins: bool = False, asks: bool = False
) -> Callable[[Work[Model]], Flow[..., State[Any]]]:
    """Return a decorator that makes the flow of a command out of its work.

    The fields of `model` are the parameters of the flow. The work is called with the configuration, the parameters and
    the wrapper of its steps. A flow run ends as completed, or "Skipped" if another run holds the directory.

    Args:
        command: The name of the command.
        model: The parameters.
        steps: How many steps the work has, for the progress artifact.
        begins: The work may be the first one in `output_dir`; else a directory without a run is an error.
        asks: The work asks the teacher, so that it takes a slot of the teacher's limit.
    """

    def make(work: Work[Model]) -> Flow[..., State[Any]]:
        def carry_out(**values: Any) -> State[Any]:
            with messages_in_run_log():
                given = read_parameters(model, values)
                config = load_parameters(given.config_path, given.overrides)
                refuse_temporary_folders(config)
                with StepProgress(steps) as progress:
                    try:
                        with held_copy(config):
                            if not begins:
                                existing_taxonomy(config)
                            with hold_output(config.output, config.work), _slot(config, asks):
                                work(config, given, lambda name, function: progress.counted(_task(name, function)))
                                show_versions(config)
                    except OutputInUse as in_use:
                        log.warning(f"nothing was done: {in_use}")
                        return Completed(name="Skipped", message=f"nothing was done: {in_use}")
            return Completed(message="all steps are done")

        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(carry_out, name, getattr(work, name))
        carry_out.__signature__ = signature_of(model)  # type: ignore[attr-defined]  # what Prefect and inspect read
        return flow(name=f"skillmill-{command}", flow_run_name=run_name, validate_parameters=False)(carry_out)

    return make


def run_name() -> str:
    """Return the name of a flow run: what it does, and the name in the configuration."""
    action, parameters = str(flow_run.flow_name).removeprefix("skillmill-"), flow_run.parameters
    try:
        return f"{action} {load_parameters(parameters['config_path'], parameters.get('overrides')).name}"
    except (SkillmillError, KeyError, TypeError):  # the flow itself reports the fault
        return action


def teacher_limit(config: Config) -> str:
    """Return the name of the global concurrency limit for all runs with the same teacher."""
    teacher = config.teacher
    server = urlsplit(teacher.base_url).netloc.rpartition("@")[2] if teacher.base_url else ""
    words = "-".join(word for word in (teacher.kind, server, str(teacher.model or "")) if word)
    return "skillmill-teacher-" + re.sub(r"[^A-Za-z0-9._-]+", "-", words).strip("-")


@contextmanager
def _slot(config: Config, asks: bool) -> Iterator[None]:
    """Hold a slot of the teacher, and wait for one. A server without the limit sets no bound."""
    if not asks:
        yield
        return
    limit = teacher_limit(config)
    log.info(f"takes a slot of the concurrency limit {limit}, or waits for one")
    with concurrency(limit, occupy=1):
        yield


def _task(name: str, function: Step) -> Step:
    return _publishing(function) if name == "publish" else as_task(name, function)


def _publishing(function: Step) -> Step:
    """Return a step that publishes the newest version and records it as an asset of Prefect."""

    def publish(config: Config, *arguments: Any) -> Any:
        version = read_current(config)
        if version is None:
            return function(config, *arguments)
        repository = config.export.repo_id or "none"
        asset = Asset(key=f"hf://datasets/{repository}/{version.version}")
        wrapped = materialize(
            asset,
            name="publish",
            task_run_name="publish",
            retries=2,
            retry_delay_seconds=5,
            retry_condition_fn=may_pass,
            cache_policy=NO_CACHE,
        )(function)
        return wrapped(config, *arguments)

    return publish
