"""What a flow run shows in Prefect's UI: counts, progress and the versions. A server that refuses is no failure."""

import threading
from typing import Any

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from skillmill.data.versions import read_versions
from skillmill.flows.config import Config
from skillmill.flows.pipeline import Step
from skillmill.flows.prefect_run import shown
from skillmill.flows.runtime.progress import share_observer

EVERY_S = 2.0
"""Seconds between two updates of the progress artifact."""


def show_counts(title: str, counts: dict[str, Any]) -> None:
    """Show counts as a Markdown table."""
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in counts.items())]
    show_markdown("counts", title, "\n".join(lines))


def show_markdown(key: str, title: str, text: str) -> None:
    """Show a Markdown text with a title."""
    with shown(f"the {key}"):
        create_markdown_artifact(f"**{title}**\n\n{text}", key=key, description=title)


def show_versions(config: Config) -> None:
    """Show the versions of the dataset as a table."""
    rows = [
        {
            "version": each.version,
            "scheduled for": each.scheduled_time or "",
            "new rows": each.rows_new,
            "rows": each.rows,
            "plan": each.plan[:8],
            "teacher": each.teacher,
            "dropped": sum(each.dropped.values()),
            "cost": "" if each.money is None else each.money,
            "note": "withdrawn" if each.withdrawn else each.note,
        }
        for each in read_versions(config.output).entries
    ]
    if rows:
        with shown("the table of versions"):
            create_table_artifact(rows, key="versions", description=f"The versions of {config.name}")


class StepProgress:
    """A progress artifact that moves with the steps of a flow run, and within a step where its target is known."""

    def __init__(self, steps: int) -> None:
        self._steps, self._done, self._share = steps, 0, 0.0
        self._artifact: Any = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._update, name="progress artifact", daemon=True)

    def __enter__(self) -> "StepProgress":
        with shown("the progress"):
            self._artifact = create_progress_artifact(0.0, key="progress", description="Share of the work that is done")
            self._thread.start()
        self._token = share_observer.set(self._observe)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        share_observer.reset(self._token)
        self._ended.set()
        if self._artifact is None:
            return
        self._thread.join()
        if kind is None:
            with shown("the progress"):
                update_progress_artifact(self._artifact, 100.0)

    def counted(self, function: Step) -> Step:
        """Return a step that counts as done when it returns."""

        def call(*arguments: Any, **named: Any) -> Any:
            self._share = 0.0
            result = function(*arguments, **named)
            self._done, self._share = self._done + 1, 0.0
            return result

        return call

    def _observe(self, share: float) -> None:
        self._share = share

    def _update(self) -> None:
        last = 0.0
        while not self._ended.wait(EVERY_S):
            now = min(99.0, 100.0 * (self._done + self._share) / self._steps)
            if now > last:
                last = now
                with shown("the progress"):
                    update_progress_artifact(self._artifact, round(now, 1))
