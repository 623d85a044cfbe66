"""The event loop of a step that asks a teacher."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from skillmill.data.errors import SkillmillError
from skillmill.teachers.arrivals import GatheringLoop

TICK_S = 1.0

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result], tick: Callable[[], None]) -> Result:
    """Do `work` in a loop of its own, as `asyncio.run` does.

    `tick` is called beside it every `TICK_S` seconds, and no disk that it finds full stops `work`.
    """
    with asyncio.Runner(loop_factory=GatheringLoop) as runner:
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
