"""Generate the ranges of a plan as Prefect tasks on a Ray or Dask cluster, then merge them.

A range that is lost with its worker is done again by another one, which goes on from the range's shards and journal.
Ctrl-C stops the ranges as it stops a run in one process: what was finished is committed.
"""

import logging
import socket
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import wait
from prefect.task_runners import TaskRunner

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.remote.url import is_url
from skillmill.flows.config import Config, RunnerConfig
from skillmill.flows.ranges.split import Range, range_config
from skillmill.flows.ranges.stop import ask_to_stop, asked_to_stop, delete_marks
from skillmill.flows.rows.generate import GenerateOutcome
from skillmill.flows.steps.generate import generate_range
from skillmill.teachers.middleware.accounting import BudgetMet

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0
"""How long a scheduler may take to accept a connection."""
STOP_S = 60.0
"""How long the ranges may take to stop."""


def check_cluster(config: Config) -> None:
    """Raise `ConfigError` if the run cannot be divided, a package is missing or the scheduler cannot be reached."""
    _ranges_and_runner(config)


def generate_ranges(config: Config, cells: int) -> str:
    """Generate the next `cells` cells on the cluster of the configuration, as tasks of a Prefect flow.

    There are `runner.workers` ranges, fewer if there are fewer cells. Returns the reason of the budget that ended one
    of them, "" if all are whole. Raises as `check_cluster` does, and `SkillmillError` if a range fails.
    """
    count, runner = _ranges_and_runner(config)
    count = min(count, cells)
    call = uuid.uuid4().hex
    # A worker of the cluster has another working directory, and the ranges are its part of the run.
    here = config.model_copy(
        update={
            "output_dir": config.output_dir if is_url(config.output_dir) else str(config.output.absolute()),
            "work_dir": config.work_dir and str(Path(config.work_dir).absolute()),
            "runner": RunnerConfig(),
        }
    )
    generate_part = task(
        name="generate-range",
        task_run_name="range {number} of {count}",
        retries=2,
        retry_delay_seconds=1,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(_generate_part)

    # The configuration is no parameter of the flow: Prefect would store it, with the headers of the teacher.
    @flow(name="skillmill-ranges", flow_run_name=f"{config.name}: {count} ranges", task_runner=runner)
    def ranges() -> list[GenerateOutcome]:
        futures = [generate_part.submit(here, number, count, call) for number in range(1, count + 1)]
        try:
            return [future.result() for future in futures]
        except KeyboardInterrupt:
            log.info(f"generate: stopping {count} ranges")
            ask_to_stop(here.output_dir, call)
            if not wait(list(futures), STOP_S).not_done:
                delete_marks(here.output_dir)
            raise

    delete_marks(here.output_dir)  # those of calls that were killed
    outcomes = ranges()
    for number, outcome in enumerate(outcomes, 1):
        if outcome.missed:
            raise SkillmillError(f"range {number}/{count}: {outcome.missed}")
    for number, outcome in enumerate(outcomes, 1):
        if outcome.stopped:
            return f"{outcome.stopped} in range {number}/{count}"
    log.info(f"generate: {count} ranges are generated")
    return ""


def _generate_part(config: Config, number: int, count: int, call: str) -> GenerateOutcome:
    """Generate a range in a worker of the cluster. An error is an outcome, because Prefect logs a raised one at length.

    A worker that is lost raises nothing here; the cluster gives its range to another one.
    """
    try:
        with asked_to_stop(config.output_dir, call) as is_stopped:
            return generate_range(config, Range(number, count), is_stopped)
    except BudgetMet as met:
        return GenerateOutcome(stopped=met.reason)
    except SkillmillError as error:
        return GenerateOutcome(missed=str(error))
    except KeyboardInterrupt:
        return GenerateOutcome(missed="stopped")


def _ranges_and_runner(config: Config) -> tuple[int, TaskRunner[Any]]:
    """Return the number of ranges and the task runner. Raises as `check_cluster` does."""
    count = config.runner.workers
    if count is None:
        raise ConfigError(f"runner.workers: missing, kind {config.runner.kind} expects the number of ranges")
    range_config(config, Range(1, 1))
    return count, _task_runner(config.runner)


def _task_runner(runner: RunnerConfig) -> TaskRunner[Any]:
    """Return Prefect's task runner for a cluster; without `runner.address` it starts one on this machine."""
    if runner.address is not None:
        _check_address(runner.address)
    try:
        if runner.kind == "ray":
            from prefect_ray import RayTaskRunner

            on_ray: TaskRunner[Any] = RayTaskRunner(runner.address)
            return on_ray
        from prefect_dask import DaskTaskRunner

        logging.getLogger("distributed").setLevel(logging.WARNING)
        local = None if runner.address else {"n_workers": runner.workers or 1, "threads_per_worker": 1}
        on_dask: TaskRunner[Any] = DaskTaskRunner(address=runner.address, cluster_kwargs=local)
        return on_dask
    except ImportError as error:
        raise ConfigError(
            f"runner.kind: {runner.kind} needs more packages ({error}): pip install 'skillmill[{runner.kind}]'"
        ) from None


def _check_address(address: str) -> None:
    """Raise `ConfigError` if no server listens at an address such as "tcp://host:8786" or "host:6379"."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None:
        raise ConfigError(f"runner.address: expected HOST:PORT of the cluster's scheduler, got {address!r}")
    try:
        socket.create_connection((host, port), timeout=TIMEOUT_S).close()
    except OSError as error:
        raise ConfigError(f"runner.address: cannot reach {address} ({error.strerror or error})") from None
