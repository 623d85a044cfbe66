"""The run as a Prefect flow: one task per step, never per row.

A Prefect task costs 7 to 90 ms and a step is worth minutes; rows and shards are the steps' own affair.
"""

import logging
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.tasks import Task

from skillmill.data.errors import SkillmillError, TeacherError
from skillmill.flows.config import load_config
from skillmill.flows.pipeline import Results, Step, run
from skillmill.flows.report.page import funnel_markdown


def _one_line(record: logging.LogRecord) -> bool:
    """Keep the traceback of an error that says in its own line what is wrong out of Prefect's logs."""
    if record.exc_info and isinstance(record.exc_info[1], SkillmillError):
        record.exc_info = record.exc_text = None
    return True


for _name in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(_name).addFilter(_one_line)


def reach_prefect() -> None:
    """Find the Prefect server, or start one where no address is set. Raises `SkillmillError` where there is none."""
    address = PREFECT_API_URL.value()
    try:
        client = get_client(sync_client=True)
    except (RuntimeError, OSError, ValueError) as error:
        raise SkillmillError(f"--prefect: Prefect's own server does not start: {error}") from None
    if (fault := client.api_healthcheck()) is not None:
        where = f"PREFECT_API_URL: cannot reach {address}" if address else "--prefect: cannot reach its own server"
        raise SkillmillError(f"{where} ({fault}); start it with `prefect server start`, or run without Prefect")


def _flow_run_name() -> str:
    parameters = flow_run.parameters
    return load_config(Path(parameters["config_path"]), parameters["overrides"]).name


@flow(name="skillmill-run", flow_run_name=_flow_run_name, validate_parameters=False)
def skillmill_run(config_path: str, overrides: list[str]) -> Results:
    """The whole job. The parameters are the path and the overrides: no key is ever among them."""
    return run(load_config(Path(config_path), overrides), _as_task, _publish_funnel)


def _as_task(name: str, function: Step) -> Step:
    return task(
        name=name,
        task_run_name=name,
        retries=2,
        retry_delay_seconds=5,
        retry_condition_fn=_world_failed,
        cache_policy=NO_CACHE,  # the shards and the journal know what is done
    )(function)


def _world_failed(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    """A bad configuration stays bad; a teacher that is away may come back."""
    return isinstance(state.result(raise_on_failure=False), TeacherError)


def _publish_funnel(name: str, funnel: dict[str, Any]) -> None:
    create_markdown_artifact(funnel_markdown(funnel), key="funnel", description=f"Where the rows of {name} fell")
