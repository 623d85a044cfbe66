"""The event loop of a step that sends requests to a teacher."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from skillmill.data.errors import SkillmillError
from skillmill.flows.runtime.garbage import few_collections

TICK_S = 1.0

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result], tick: Callable[[], None]) -> Result:
    """Run `work` in a new event loop, as `asyncio.run` does, and return its result.

    `tick` is called every `TICK_S` seconds until `work` ends. A `SkillmillError` from `tick`, such as a full disk, does
    not stop `work`. An exception that a signal handler raises does, wherever it is raised: Prefect's handler of SIGTERM
    ends a cancelled flow run so, and asyncio drops what is raised in a callback, such as one for bytes that arrived.
    """
    with few_collections(), asyncio.Runner() as runner:
        return runner.run(_with_ticks(work, tick))


async def _with_ticks(work: Coroutine[Any, Any, Result], tick: Callable[[], None]) -> Result:
    loop, task, ended = asyncio.get_running_loop(), asyncio.current_task(), list[BaseException]()

    def end(error: BaseException) -> None:
        ended.append(error)
        if task is not None:
            task.cancel()

    def raised_in_callback(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is None or isinstance(error, Exception):
            loop.default_exception_handler(context)
        else:
            end(error)

    async def clock() -> None:
        try:
            while True:
                await asyncio.sleep(TICK_S)
                with suppress(SkillmillError):
                    tick()
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:
            end(error)

    loop.set_exception_handler(raised_in_callback)
    ticking = asyncio.create_task(clock())
    try:
        return await work
    except asyncio.CancelledError:
        if ended:
            raise ended[0] from None
        raise
    finally:
        ticking.cancel()
