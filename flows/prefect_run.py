"""The run as a Prefect flow: one task for each step, none for a row.

A Prefect task costs 7 to 90 ms and a step takes minutes; each step handles its rows and shards itself.
"""

import logging
import queue
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogHandler
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.tasks import Task

from skillmill.data.errors import ConfigError, SkillmillError, TeacherError
from skillmill.data.terminal import LOGGER
from skillmill.flows.config import Config, load_config
from skillmill.flows.pipeline import Results, Step, run
from skillmill.flows.report.funnel import funnel_markdown
from skillmill.flows.secret_overrides import refuse_secrets

log = logging.getLogger(__name__)

CLIENT_RETRIES = 3
"""How often a request to Prefect's server is sent again, with pauses of 2, 4 and 8 s. Prefect's default takes 62 s."""


@dataclass
class _Ended:
    """How the work of a flow run ended, which Prefect does not return if its server is gone."""

    results: Results | None = None
    error: Exception | None = None


_ended: ContextVar[_Ended | None] = ContextVar("_ended", default=None)


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


def run_as_flow(config_path: str, overrides: list[str]) -> Results:
    """Run the whole job as a flow and return its results, even if Prefect's server goes away in the meantime.

    Raises what the run raises, and `SkillmillError` if the server is gone before the run begins.
    """
    token = _ended.set(ended := _Ended())
    logging.raiseExceptions = False  # else Prefect writes an error for each message that its server does not take
    for name in ("prefect.events.clients", "prefect._internal.concurrency", "EventsWorker"):
        logging.getLogger(name).addFilter(_is_critical)  # the end of the run tells of a lost server once
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: CLIENT_RETRIES}):
            return skillmill_run(config_path, overrides)
    except httpx.HTTPError as fault:
        _forget_unsent_events()
        if ended.error is None and ended.results is None:
            raise SkillmillError(f"{server_name()} has gone away ({fault_text(fault)}) before the run began") from None
        log.warning(
            f"warning: {server_name()} has gone away ({fault_text(fault)}): the run went on without it, its end is not "
            "recorded there"
        )
        if ended.error is not None:
            raise ended.error from None
        assert ended.results is not None
        return ended.results
    finally:
        _ended.reset(token)


def _is_critical(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.CRITICAL


def _forget_unsent_events() -> None:
    """Drop the events that wait for the server: at its exit Prefect would try for 7 s to send each of them."""
    for worker in list(getattr(EventsWorker, "_instances", {}).values()):
        with suppress(queue.Empty, AttributeError):
            while True:
                worker._queue.get_nowait()


def _flow_run_name() -> str:
    """Return the name in the configuration; a fault in it is reported by the flow itself, which then fails."""
    parameters = flow_run.parameters
    try:
        return load_parameters(parameters["config_path"], parameters.get("overrides")).name
    except (SkillmillError, KeyError, TypeError):
        return "skillmill-command-run"


@flow(name="skillmill-command-run", flow_run_name=_flow_run_name, validate_parameters=False)
def skillmill_run(config_path: str, overrides: list[str] | None = None) -> Results:
    """Run the whole job. Prefect shows the parameters, path and overrides, which hold no API key."""
    ended = _ended.get() or _Ended()
    with messages_in_run_log():
        try:
            config = load_parameters(config_path, overrides)
            refuse_temporary_folders(config)
            log.info(f"run: writes to {config.place(config.output.resolve())}")
            ended.results = run(config, as_task, partial(publish_funnel, config))
        except Exception as error:
            ended.error = error
            raise
    return ended.results


def load_parameters(config_path: object, overrides: object) -> Config:
    """Return the configuration that the parameters of a flow run name. Raises `ConfigError`."""
    if not isinstance(config_path, str) or not config_path:
        raise ConfigError(f"config_path: expected the path of a configuration, got {config_path!r}")
    if overrides is None:
        overrides = []
    if not isinstance(overrides, list) or not all(isinstance(each, str) for each in overrides):
        raise ConfigError("overrides: expected a list of texts such as [seed=7]")
    refuse_secrets(overrides)
    return load_config(Path(config_path), overrides)


def refuse_temporary_folders(config: Config) -> None:
    """Raise `ConfigError` if the run would write into the temporary workspace of its flow run.

    A worker of the type "process" creates the workspace for a pull step such as git_clone, and deletes it at the end.
    """
    workspace = _temporary_workspace(Path.cwd())
    for key, folder in (("output_dir", config.output), ("work_dir", config.work)):
        if workspace and folder.resolve().is_relative_to(workspace):
            raise ConfigError(
                f"{key}: {folder.resolve()} is in the temporary workspace of this flow run, which Prefect deletes when "
                "the run ends; expected an absolute path outside of it"
            )


def _temporary_workspace(folder: Path) -> Path | None:
    """Return the temporary folder of Prefect that `folder` is in, None if it is in none."""
    temporary = Path(tempfile.gettempdir()).resolve()
    if not folder.resolve().is_relative_to(temporary) or folder.resolve() == temporary:
        return None
    name = folder.resolve().relative_to(temporary).parts[0]
    is_of_prefect = name.startswith("prefect-") or name.endswith("prefect") or name == "runner_storage"
    return temporary / name if is_of_prefect else None


def server_name() -> str:
    """Return words for Prefect's server and its address."""
    return f"Prefect's server at {PREFECT_API_URL.value() or 'its own address'}"


def fault_text(fault: Exception) -> str:
    """Return the first line of an error's message."""
    return str(fault).partition("\n")[0] or type(fault).__name__


def as_task(name: str, function: Step) -> Step:
    """Return a step as a task of Prefect."""
    return task(
        name=name,
        task_run_name=name,
        retries=2,
        retry_delay_seconds=5,
        retry_condition_fn=may_pass,
        cache_policy=NO_CACHE,  # shards and journal record what is done
    )(function)


def may_pass(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    """Return whether a retry may help: a teacher or the Hub may come back, an invalid configuration stays invalid."""
    from skillmill.data.hub.errors import TemporaryHubError  # huggingface_hub takes a second to import

    return isinstance(state.result(raise_on_failure=False), TeacherError | TemporaryHubError)


@contextmanager
def shown(what: str) -> Iterator[None]:
    """Show something in Prefect inside of the block. A server that does not take it is no reason to stop."""
    try:
        yield
    except Exception as fault:  # whatever Prefect raises
        if _ended.get() is None:  # else `run_as_flow` reports that the server is gone
            log.warning(f"warning: {server_name()} does not take {what} ({fault_text(fault)})")


def publish_funnel(config: Config, funnel: dict[str, Any]) -> None:
    """Show the counts and the place of the output in Prefect."""
    place = f"Written to `{config.place(config.output.resolve())}` on host `{socket.gethostname()}`.\n\n"
    description = f"Where the rows of {config.name} fell"
    with shown("the counts of the rows"):
        create_markdown_artifact(place + funnel_markdown(funnel), key="funnel", description=description)


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
def messages_in_run_log() -> Iterator[None]:
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
    """Remove the traceback of an error whose message is meant for people, and of a lost connection to the server.

    Keeps every record.
    """
    if record.exc_info and isinstance(record.exc_info[1], SkillmillError | httpx.HTTPError):
        record.exc_info = record.exc_text = None
    return True


for _name in ("prefect.flow_runs", "prefect.task_runs", "prefect.engine"):
    logging.getLogger(_name).addFilter(_without_traceback)
