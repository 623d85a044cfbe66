"""What `run.json` says of a run, beside its ledger."""

import platform
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from typing import Any

from skillmill.flows.runtime.workspace import Workspace, keep_usage, read_state, write_state

VERSIONS = ("skillmill", "prefect", "datasets", "pyarrow", "xllamacpp")


def remember(workspace: Workspace, news: dict[str, Any]) -> None:
    """Lay `news` and what the run has cost so far over `run.json`."""
    config, usage = workspace.config, workspace.usage
    keep_usage(workspace)
    state = read_state(config.output)
    state |= {
        "status": state.get("status", "running"),
        "configuration": config.model_dump(mode="json"),  # headers and keys are hidden in it
        "versions": versions(),
        "usage": usage.as_dict(),
        "totals": {
            **asdict(usage.total()),
            "tokens": usage.tokens,
            "money": usage.money,
            "wall_s": usage.wall_s,
            "cached_share": usage.cached_share,
        },
        **news,
    }
    write_state(config.output, state)


@cache
def versions() -> dict[str, str]:
    """Of Python and of the packages that make a run's bytes."""
    return {"python": platform.python_version(), **{name: version(name) for name in VERSIONS}}


def noted(workspace: Workspace, what: str) -> dict[str, Any]:
    """What `run.json` says of each plan under `what`."""
    noted = read_state(workspace.config.output).get(what)
    return noted if isinstance(noted, dict) else {}


def note(workspace: Workspace, what: str, plan: str, value: Any) -> None:
    remember(workspace, {what: noted(workspace, what) | {plan: value}})
