"""The event loop of a step that sends requests to a teacher."""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from skillmill.data.errors import SkillmillError

TICK_S = 1.0
COLLECT_AFTER = 100_000
"""New objects until Python looks for unreachable cycles; by default it does so after 700. A run makes few cycles, and
scanning its rows and requests in flight again and again cost a third of its CPU time at 1,024 requests in flight."""

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result], tick: Callable[[], None]) -> Result:
    """Run `work` in a new event loop, as `asyncio.run` does, and return its result.

    `tick` is called every `TICK_S` seconds until `work` ends. A `SkillmillError` from `tick`, such as a full disk, does
    not stop `work`. An exception that a signal handler raises does, wherever it is raised: Prefect's handler of SIGTERM
    ends a cancelled flow run so, and asyncio drops what is raised in a callback, such as one for bytes that arrived.
    """
    with _few_collections(), asyncio.Runner() as runner:
        return runner.run(_with_ticks(work, tick))


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for unreachable cycles after `COLLECT_AFTER` new objects within the block, and not in older ones."""
    before = gc.get_threshold()
    gc.freeze()  # the objects of the imports never die
    gc.set_threshold(COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


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
