"""The row runner: a sliding window of coroutines over a stream, with results in the order of the inputs.

There is no barrier between turns, batches or shards, and memory does not grow with the stream: at most `lead` results
wait for an earlier one.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

Input = TypeVar("Input")
Result = TypeVar("Result")


def rows_at_once(max_in_flight: int) -> int:
    """Return how many rows to run for `max_in_flight` requests: a quarter more.

    A row that waits for a retry or between two turns then leaves no request slot empty.
    """
    return max_in_flight + -(-max_in_flight // 4)


async def in_order(
    inputs: Iterable[Input],
    make: Callable[[Input], Awaitable[Result]],
    in_flight: int,
    lead: int,
    still_needed: Callable[[], int | None] = lambda: None,
    finished: Callable[[Result], None] = lambda _: None,
) -> AsyncGenerator[Result, None]:
    """Yield `make(input)` for each input, in order, with at most `in_flight` running.

    Args:
        inputs: The inputs; each is read when it is started.
        make: The coroutine function. Its exception cancels the other coroutines and is raised after every earlier
            result that was ready has been yielded.
        in_flight: The most coroutines that run at once.
        lead: The most results, running or ready, ahead of the next one to yield.
        still_needed: Returns how many further results are needed at most, None if there is no bound. Not more than
            that many run.
        finished: Called with each result as soon as it exists, out of order.
    """
    source = enumerate(inputs)
    running: set[asyncio.Task[Result]] = set()
    ready: dict[int, Result] = {}
    progress = asyncio.Event()
    head, launched, exhausted = 0, 0, False
    failed: asyncio.Task[Result] | None = None

    def launch(position: int, value: Input) -> None:
        async def run() -> Result:
            return await make(value)

        def done(task: asyncio.Task[Result]) -> None:
            nonlocal failed
            running.discard(task)
            if task.cancelled() or task.exception() is not None:
                failed = failed or task
            else:
                ready[position] = task.result()
                finished(task.result())
            progress.set()

        task = asyncio.create_task(run())
        running.add(task)
        task.add_done_callback(done)

    try:
        while True:
            while not exhausted and len(running) < in_flight and launched - head < lead:
                bound = still_needed()
                if bound is not None and len(running) >= bound:
                    break
                following = next(source, None)
                if following is None:
                    exhausted = True
                    break
                launch(*following)
                launched += 1
            if head == launched:
                return  # nothing is running, and nothing further is needed
            progress.clear()
            if head not in ready and failed is None:
                await progress.wait()
            while head in ready:
                yield ready.pop(head)
                head += 1
            if failed is not None:
                failed.result()  # raises the exception of `make`
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
