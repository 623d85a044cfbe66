"""When answers are read: each at once, or some together where the engine has a line of requests waiting.

Answers come one by one, and waking up for each of them costs more than what is then done for it. Where requests wait in
line in every server that is asked, no engine idles while an answer lies unread for a moment: so they are gathered
`GATHER_S` long, as network cards do with their interrupts (docs/benchmarks.md). Without a line nothing waits.
"""

import asyncio
import selectors
import time

from skillmill.teachers.middleware.concurrency import Load

GATHER_S = 0.02
LINE = 1 / 8
"""Requests that wait, as a share of those that run: no more than so many end meanwhile where an answer takes 0.16 s or
longer."""


class Arrivals(selectors.DefaultSelector):
    """What a loop waits for. `lines` says of each server that is asked in it whether a line waits there."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[object, bool] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Everything that is ready within `timeout` seconds, None for ever."""
        all_have_lines = bool(self.lines) and all(self.lines.values())
        if not all_have_lines or (timeout is not None and timeout < GATHER_S):
            return super().select(timeout)
        time.sleep(GATHER_S)
        return super().select(0) or super().select(None if timeout is None else timeout - GATHER_S)


class GatheringLoop(asyncio.SelectorEventLoop):
    """asyncio's own event loop, over `Arrivals`."""

    def __init__(self) -> None:
        self.arrivals = Arrivals()
        super().__init__(self.arrivals)


def lines() -> dict[object, bool]:
    """The `lines` of the running loop; of another loop's, which looks at none, an empty one."""
    loop = asyncio.get_running_loop()
    return loop.arrivals.lines if isinstance(loop, GatheringLoop) else {}


def has_line(load: Load | None) -> bool:
    """Whether so many requests wait in an engine that it is not idle soon; not where it does not tell."""
    return load is not None and load.waiting > 0 and load.waiting >= LINE * load.running
