"""Write `run.json`: configuration, versions, totals and status of a run, and notes about each plan."""

import asyncio
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from skillmill.data.errors import SkillmillError
from skillmill.data.export.grading_counts import GradingCounts
from skillmill.flows.config import Config
from skillmill.flows.runtime.workspace import Workspace, keep_usage, read_state, write_state

UNFINISHED = ("running", "generated", "stopped")
"""The statuses of a run that has steps before it."""
RECORDED_PACKAGES = ("skillmill", "prefect", "datasets", "pyarrow", "xllamacpp")


def update_run_json(workspace: Workspace, changes: dict[str, Any], gradings: GradingCounts | None = None) -> None:
    """Write `changes`, the configuration, the versions and the usage so far over the content of `run.json`.

    The totals of gradings stay as they are if `gradings` is None.
    """
    config, usage = workspace.config, workspace.usage
    keep_usage(workspace)
    state = read_state(config.output)
    kept = {key: value for key, value in state.get("totals", {}).items() if key in GradingCounts().as_totals()}
    state |= {
        "status": state.get("status", "running"),
        "configuration": _recorded(config),
        "versions": recorded_versions(),
        "usage": usage.as_dict(),
        "totals": {
            **asdict(usage.total()),
            "tokens": usage.tokens,
            "money": usage.money,
            "wall_s": usage.wall_s,
            "cached_share": usage.cached_share,
            **(kept if gradings is None else gradings.as_totals()),
        },
        **changes,
    }
    write_state(config.output, state)


@contextmanager
def recorded_end(output: Path) -> Iterator[None]:
    """If the block raises, set the status in `run.json` to "stopped" with the error as the reason.

    A status that is an end already, such as "partial" or "failed", stays. So does any status on a full disk.
    """
    try:
        yield
    except BaseException as error:
        with suppress(SkillmillError):
            state = read_state(output)
            if state.get("status") in UNFINISHED:
                write_state(output, state | {"status": "stopped", "reason": _reason(error)})
        raise


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
        return "Ctrl-C"
    if not isinstance(error, Exception):  # such as what Prefect raises when a flow run is cancelled
        return "cancelled"
    words = " ".join(str(error).split())
    return words if isinstance(error, SkillmillError) else f"{type(error).__name__}: {words}".removesuffix(": ")


def _recorded(config: Config) -> dict[str, Any]:
    """Return the configuration with headers and keys hidden, and with `work_dir` as it is found from any folder."""
    return config.model_dump(mode="json") | {"work_dir": config.work_dir and str(config.work.absolute())}


@cache
def recorded_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide a run's bytes."""
    return {"python": platform.python_version(), **{name: version(name) for name in RECORDED_PACKAGES}}


def read_plan_note(workspace: Workspace, key: str) -> dict[str, Any]:
    """Return what `run.json` holds under `key`: one value a plan fingerprint."""
    note = read_state(workspace.config.output).get(key)
    return note if isinstance(note, dict) else {}


def write_plan_note(workspace: Workspace, key: str, plan: str, value: Any) -> None:
    """Set the value of the plan with the fingerprint `plan` under `key` in `run.json`."""
    update_run_json(workspace, {key: read_plan_note(workspace, key) | {plan: value}})
