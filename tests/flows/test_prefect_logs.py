"""Messages of a flow run reach its log from threads that have no Prefect context, such as those of an engine."""

import logging
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from prefect.logging.handlers import set_api_log_sink

from skillmill.data.terminal import LOGGER
from skillmill.flows import prefect_run

log = logging.getLogger(f"{LOGGER}.teachers.test")


@pytest.fixture
def sent() -> Iterator[list[dict[str, Any]]]:
    """The messages that are sent to Prefect's server, which is not there."""
    messages: list[dict[str, Any]] = []
    set_api_log_sink(messages.append)
    yield messages
    set_api_log_sink(None)


@pytest.fixture
def flow_run_id(monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of the flow run that this test is in."""
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", identifier := str(uuid4()))
    return identifier


def test_a_message_of_another_thread(
    sent: list[dict[str, Any]], flow_run_id: str, recwarn: pytest.WarningsRecorder
) -> None:
    with prefect_run.messages_in_run_log():
        thread = threading.Thread(target=log.warning, args=("teacher: %s answers again", "a model"))
        thread.start()
        thread.join()
        log.debug("a retry")
    log.warning("after the flow run")
    [message] = sent
    assert message["message"] == "teacher: a model answers again"
    assert message["flow_run_id"] == flow_run_id
    assert message["level"] == logging.WARNING
    assert message["name"] == log.name
    assert not [each for each in recwarn if "flow run" in str(each.message)]  # as Prefect's own handler warns


def test_without_the_command_line_messages_of_level_info_are_on(sent: list[dict[str, Any]], flow_run_id: str) -> None:
    logger = logging.getLogger(LOGGER)
    with prefect_run.messages_in_run_log():
        log.info("generate: 9 cells")
    assert [message["message"] for message in sent] == ["generate: 9 cells"]
    assert (logger.level, logger.handlers) == (logging.NOTSET, [])
