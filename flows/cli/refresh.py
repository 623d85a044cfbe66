"""The command refresh: the next range of a plan as a new version."""

import logging
from enum import StrEnum
from typing import Annotated

import typer

from skillmill.flows.cli.options import ConfigFile, Overrides, load

log = logging.getLogger(__name__)


class Decision(StrEnum):
    """What a reviewer decides about the new rows."""

    keep = "keep"
    drop = "drop"


def refresh(
    config: ConfigFile,
    overrides: Overrides = None,
    scheduled_time: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it was due, ISO 8601; a time that is done is left alone.")
    ] = None,
    review: Annotated[Decision | None, typer.Option(help="The decision where refresh.review is on.")] = None,
) -> None:
    """Generate the next range of the plan, filter it against all earlier rows, and export a new version.

    A refresh that was interrupted is finished first. versions.jsonl and the dataset card list the versions.

    Example: skillmill refresh -c skillmill.yaml --scheduled-time 2026-11-30T03:00:00+00:00
    """
    loaded = load(config, overrides)
    from skillmill.flows.refresh.refresh import parse_time
    from skillmill.flows.refresh.refresh import refresh as refresh_steps
    from skillmill.flows.runtime.output_lock import OutputInUse

    time = None if scheduled_time is None else parse_time(scheduled_time)
    try:
        version = refresh_steps(loaded, time, review=lambda name, report: review.value if review else None)
    except OutputInUse as in_use:  # another refresh is at work, which a schedule may bring about
        log.warning(f"refresh: nothing was done: {in_use}")
        return
    if version is not None:
        print(f"{version.version:10} {loaded.place(loaded.output / 'export')}")
