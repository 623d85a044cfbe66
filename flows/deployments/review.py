"""The review gate of a refresh: the flow run is suspended until a person decides in Prefect's UI."""

import socket
from pathlib import Path
from typing import Literal

from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from pydantic import Field

from skillmill.flows.refresh.refresh import Review


class ReviewDecision(RunInput):
    """What a person decides about the new rows of a version."""

    decision: Literal["keep", "drop"] = Field(description="keep: export the new rows as a version. drop: do not.")


def ask_in_ui(version: str, report: Path) -> Review | None:
    """Return the decision about a version; suspends the flow run, whose process ends, until there is one.

    When the run is resumed its flow starts again and comes here a second time, where Prefect hands over the decision.
    """
    place = f"{report.resolve().as_uri()} on host {socket.gethostname()}"
    form = ReviewDecision.with_initial_data(description=f"{version} waits for a review. Its report: {place}")
    return suspend_flow_run(wait_for_input=form, timeout=None, key=f"review-{version}").decision
