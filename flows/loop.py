"""The event loop of a step that asks a teacher."""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from skillmill.data.errors import SkillmillError

TICK_S = 1.0
GATHER_S = 0.02
FEW_OPEN = 32
"""So many files and connections are open where little is in flight; there every moment counts."""

Result = TypeVar("Result")


class Gathering(selectors.DefaultSelector):
    """Waits a moment for more before it says what has arrived, as network cards do with their interrupts.

    With hundreds of requests in flight their answers come one by one, and waking up for each of them costs more than
    what is then done for it. An answer that took seconds is read `GATHER_S` later at most (docs/benchmarks.md).
    """

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Everything that is ready within `timeout` seconds, None for ever."""
        if len(self.get_map()) <= FEW_OPEN or (timeout is not None and timeout < GATHER_S):
            return super().select(timeout)
        time.sleep(GATHER_S)
        return super().select(0) or super().select(None if timeout is None else timeout - GATHER_S)


def run(work: Coroutine[Any, Any, Result], tick: Callable[[], None]) -> Result:
    """Do `work` in a loop of its own, as `asyncio.run` does.

    `tick` is called beside it every `TICK_S` seconds, and no disk that it finds full stops `work`.
    """
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Gathering())) as runner:
        return runner.run(_ticking(work, tick))


async def _ticking(work: Coroutine[Any, Any, Result], tick: Callable[[], None]) -> Result:
    async def clock() -> None:
        while True:
            await asyncio.sleep(TICK_S)
            with suppress(SkillmillError):
                tick()

    beside = asyncio.create_task(clock())
    try:
        return await work
    finally:
        beside.cancel()
