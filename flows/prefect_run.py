"""The run as a Prefect flow: one task for each step, none for a row.

A Prefect task costs 7 to 90 ms and a step takes minutes; each step handles its rows and shards itself.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.logging.handlers import APILogHandler
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL
from prefect.tasks import Task

from skillmill.data.errors import SkillmillError, TeacherError
from skillmill.data.terminal import LOGGER
from skillmill.flows.config import load_config
from skillmill.flows.pipeline import Results, Step, run
from skillmill.flows.report.funnel import funnel_markdown


def reach_prefect() -> None:
    """Connect to the Prefect server, or start one if no address is set. Raises `SkillmillError` if that fails."""
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
    """Run the whole job. Prefect shows the parameters, path and overrides, which hold no API key."""
    with _messages_in_run_log():
        return run(load_config(Path(config_path), overrides), _as_task, _publish_funnel)


def _as_task(name: str, function: Step) -> Step:
    return task(
        name=name,
        task_run_name=name,
        retries=2,
        retry_delay_seconds=5,
        retry_condition_fn=_is_teacher_error,
        cache_policy=NO_CACHE,  # shards and journal record what is done
    )(function)


def _is_teacher_error(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    """Return whether a retry may help: a teacher may come back, an invalid configuration stays invalid."""
    return isinstance(state.result(raise_on_failure=False), TeacherError)


def _publish_funnel(name: str, funnel: dict[str, Any]) -> None:
    create_markdown_artifact(funnel_markdown(funnel), key="funnel", description=f"Where the rows of {name} fell")


class _RunLogHandler(APILogHandler):
    """Sends messages to the log of one flow run, from every thread.

    Prefect's own handler, and so its setting PREFECT_LOGGING_EXTRA_LOGGERS, finds the run by a context variable that
    threads started by skillmill and its libraries do not have.
    """

    def __init__(self, flow_run_id: str) -> None:
        super().__init__()
        self._flow_run_id = flow_run_id

    def emit(self, record: logging.LogRecord) -> None:
        """Send `record` as a message of the flow run, and of its task run if this thread has one."""
        context = TaskRunContext.get()
        record.flow_run_id = self._flow_run_id
        record.task_run_id = context.task_run.id if context else None
        super().emit(record)


@contextmanager
def _messages_in_run_log() -> Iterator[None]:
    """Send skillmill's messages to the log of the current flow run while the context is open.

    Outside of the command line this also sets the level, so that Prefect's console shows messages of level INFO.
    """
    logger, handler = logging.getLogger(LOGGER), _RunLogHandler(flow_run.id)
    level = logger.level
    if level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _without_traceback(record: logging.LogRecord) -> bool:
    """Remove the traceback of an error whose message is meant for people. Keeps every record."""
    if record.exc_info and isinstance(record.exc_info[1], SkillmillError):
        record.exc_info = record.exc_text = None
    return True


for _name in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(_name).addFilter(_without_traceback)
