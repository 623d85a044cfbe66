"""The event loop of a step that sends requests to a teacher."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
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
        with _cancelled_by_sigterm():
            return await work
    finally:
        ticking.cancel()


@contextmanager
def _cancelled_by_sigterm() -> Iterator[None]:
    """Cancel the current task at SIGTERM, then call the handler that was installed before, if it is a function.

    Prefect's handler, which ends a cancelled flow run, raises an exception. asyncio drops an exception that is raised
    while it calls a callback, such as one for bytes that arrived.
    """
    handler, task = signal.getsignal(signal.SIGTERM), asyncio.current_task()
    if task is None or not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    came = False

    def cancel() -> None:
        nonlocal came
        came = True
        task.cancel()

    loop = task.get_loop()
    loop.add_signal_handler(signal.SIGTERM, cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, handler)
        if came:
            handler(signal.SIGTERM, None)
