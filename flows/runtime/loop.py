"""The event loop of a step that sends requests to a teacher."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from skillmill.data.errors import SkillmillError

TICK_S = 1.0

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result], tick: Callable[[], None]) -> Result:
    """Run `work` in a new event loop, as `asyncio.run` does, and return its result.

    `tick` is called every `TICK_S` seconds until `work` ends. A `SkillmillError` from `tick`, such as a full disk, does
    not stop `work`.
    """
    with asyncio.Runner() as runner:
        return runner.run(_with_ticks(work, tick))


async def _with_ticks(work: Coroutine[Any, Any, Result], tick: Callable[[], None]) -> Result:
    async def clock() -> None:
        while True:
            await asyncio.sleep(TICK_S)
            with suppress(SkillmillError):
                tick()

    ticking = asyncio.create_task(clock())
    try:
        return await work
    finally:
        ticking.cancel()
