"""Row filters in processes beside the event loop, so that filtering does not hold up the requests to the teacher.

The worker processes are those of loky, which also works in a script without `if __name__ == "__main__"`. They end when
this process ends, also when it is killed.
"""

import asyncio
import os
import signal
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from skillmill.data.errors import SkillmillError
from skillmill.data.futures import settle
from skillmill.data.processors import usable_cpus
from skillmill.data.records import Sample
from skillmill.filters.apply import apply_filters, apply_filters_to, row_filters
from skillmill.filters.config import FiltersConfig
from skillmill.skill_taxonomy.cells import Cell

if TYPE_CHECKING:
    from loky import ProcessPoolExecutor

WORTH_A_PROCESS = 8
"""Samples that must wait at once before processes are started: a slow teacher needs none."""
BATCH = 32
"""The most samples that a process gets at once."""
MOST_PROCESSES = 8
"""The most processes if `runner.workers` is null: about 4,000 rows/s, more than one event loop sends requests for."""
_PARENT_CHECK_S = 1.0

Verdict = tuple[tuple[str, ...], dict[str, float]]
"""Reasons and signals of a sample."""


class _Waiting(NamedTuple):
    """A sample that waits for its verdict."""

    sample: Sample
    cell: Cell
    verdict: asyncio.Future[Verdict]


class FilterWorkers:
    """Applies the row filters of a configuration, with at most `processes` processes beside this one.

    Samples that arrive while all processes are busy wait and go together to the next free one. As long as few samples
    wait, this process applies the filters itself, to all that have come in. The verdicts are the same either way.
    """

    def __init__(self, filters: FiltersConfig, processes: int) -> None:
        self._filters, self._processes = filters, processes
        self._has_filters = any(getattr(filters, name).enabled for name in row_filters(type(filters)))
        self._waiting: deque[_Waiting] = deque()
        self._pool: ProcessPoolExecutor | None = None
        self._batches = 0
        self._scheduled = False

    @property
    def samples_at_once(self) -> int:
        """How many samples keep all processes busy."""
        return BATCH * max(1, 3 * self._processes)

    async def apply(self, sample: Sample, cell: Cell) -> Sample:
        """Return the sample as `apply_filters` does. Raises `SkillmillError` if a process ended by itself."""
        if not self._has_filters:
            return apply_filters(sample, cell, self._filters)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(sample, cell, loop.create_future())
        self._waiting.append(waiting)
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._start_batches, loop)
        reasons, signals = await waiting.verdict
        return replace(sample, reasons=reasons, signals=signals)

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, kill_workers=True)
            self._pool = None

    def _start_batches(self, loop: asyncio.AbstractEventLoop) -> None:
        self._scheduled = False
        if not self._processes or (self._pool is None and len(self._waiting) < WORTH_A_PROCESS):
            here = self._next(BATCH)
            _settle(here, lambda: _verdicts(self._filters, [(each.sample, each.cell) for each in here]))
            if self._waiting:  # replies are taken in before the next batch
                self._scheduled = True
                loop.call_soon(self._start_batches, loop)
            return
        # A second batch for each process lies ready, so that no process waits for this one.
        while self._waiting and self._batches < 2 * self._processes:
            self._batches += 1
            self._submit(loop, self._next(min(BATCH, -(-len(self._waiting) // self._processes))))

    def _next(self, most: int) -> list[_Waiting]:
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def _submit(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting]) -> None:
        def finished(future: "Future[list[Verdict]]") -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._finished, loop, batch, future)

        try:
            future = self._open_pool().submit(_verdicts_in_worker, [(each.sample, each.cell) for each in batch])
        except Exception as error:
            future = Future()
            future.set_exception(error)
        future.add_done_callback(finished)

    def _finished(
        self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting], future: "Future[list[Verdict]]"
    ) -> None:
        self._batches -= 1
        _settle(batch, future.result)
        self._start_batches(loop)

    def _open_pool(self) -> "ProcessPoolExecutor":
        if self._pool is None:
            from loky import ProcessPoolExecutor  # takes a tenth of a second, and a small run needs none

            self._pool = ProcessPoolExecutor(
                self._processes, initializer=_start_worker, initargs=(self._filters, os.getpid())
            )
        return self._pool


@asynccontextmanager
async def filter_workers(filters: FiltersConfig, workers: int | None) -> AsyncIterator[FilterWorkers]:
    """Open the processes of a run within the block.

    `workers`: how many processes the run may have, this one included; None: as many as there are cores, but at most
    `MOST_PROCESSES` beside this one.
    """
    beside = min(usable_cpus() - 1, MOST_PROCESSES) if workers is None else workers - 1
    opened = FilterWorkers(filters, beside)
    try:
        yield opened
    finally:
        opened.close()


def _settle(batch: Sequence[_Waiting], verdicts: Callable[[], list[Verdict]]) -> None:
    """Give each sample of a batch its verdict, or the error that `verdicts` raises. Cancelled samples take neither."""
    found: list[Verdict] = []
    error: Exception | None = None
    try:
        found = verdicts()
    except BrokenExecutor:
        error = SkillmillError(
            "runner.workers: a process that filters rows ended by itself, as when memory runs out; nothing is "
            "lost: run again, with runner.workers: 1 to filter in one process"
        )
    except Exception as fault:
        error = fault
    for place, waiting in enumerate(batch):
        settle(waiting.verdict, found[place] if error is None else error)


_filters = FiltersConfig()
"""In a worker process: the filters of its run."""


def _start_worker(filters: FiltersConfig, parent: int) -> None:
    """Prepare a worker process. Ctrl-C in a terminal reaches it too, and it leaves the end to its parent."""
    global _filters
    _filters = filters
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process once its parent has ended, also by SIGKILL."""
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_S)
    os._exit(1)


def _verdicts(filters: FiltersConfig, rows: Sequence[tuple[Sample, Cell]]) -> list[Verdict]:
    return [(sample.reasons, sample.signals) for sample in apply_filters_to(rows, filters)]


def _verdicts_in_worker(rows: Sequence[tuple[Sample, Cell]]) -> list[Verdict]:
    return _verdicts(_filters, rows)
