"""The lanes of a run: processes that generate and decide cells, for requests that one event loop cannot carry.

Each lane has an event loop, connections to the teacher and an equal part of `max_in_flight`. It applies the filters
itself and writes its replies into the journal of the run. The run draws the cells, hands each to the lane with the
fewest, searches for near-duplicates and commits the shards, so the data is that of a run in one process.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

from skillmill.data.errors import SkillmillError
from skillmill.data.futures import settle
from skillmill.data.processors import usable_cpus
from skillmill.filters.config import FiltersConfig
from skillmill.filters.overrides import Overrides
from skillmill.flows.config import Config, RunnerConfig
from skillmill.flows.lanes.messages import Job, News, as_bytes, read_message
from skillmill.flows.ranges.split import Range
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.middleware.accounting import Budget, Usage

IN_FLIGHT_OF_A_LANE, CELLS_OF_A_LANE = 256, 2000
"""The least part of the requests in flight and of the cells for which a lane is worth its start of a second."""
MOST_LANES = 8
"""The most lanes if `runner.workers` is null: the process that commits their rows can follow about as many."""
END_S = 20.0
"""Seconds that a lane may take to end."""
STREAM_BYTES = 2**20
"""How much of a lane's messages is read ahead."""


def count_lanes(config: Config, asks_a_grader: bool, cells: int | None) -> int:
    """Return how many lanes pay off for a run of so many further cells (None: unknown); 1 means none.

    Only requests to a server can be divided. An engine in this process, a command that serves a model and a batch
    belong to one process. So does the account of a budget. The process that commits the rows is not counted: it takes a
    tenth of what a lane takes.
    """
    grader = config.grader if asks_a_grader else None
    if config.budget != Budget() or not _is_server(config.teacher) or (grader and not _is_server(grader)):
        return 1
    workers = config.runner.workers
    most = min(usable_cpus(), MOST_LANES) if workers is None else workers
    by_cells = most if cells is None else cells // CELLS_OF_A_LANE
    return max(1, min(most, config.teacher.max_in_flight // IN_FLIGHT_OF_A_LANE, by_cells))


def _is_server(asker: TeacherConfig) -> bool:
    return asker.kind == "openai" and asker.serve is None and not asker.batch


def lane_config(config: Config, number: int, count: int) -> Config:
    """Return the configuration of lane `number`, from 0, of `count`: with its part of the requests in flight."""

    def with_part(asker: TeacherConfig) -> TeacherConfig:
        part = len(Range(number + 1, count).cells(asker.max_in_flight))
        return asker.model_copy(update={"max_in_flight": max(1, part)})

    teacher = with_part(config.teacher)
    grader = config.grader and with_part(config.grader)
    return config.model_copy(update={"teacher": teacher, "grader": grader, "runner": RunnerConfig(workers=1)})


class Lane:
    """One lane, seen from the run. `waiting` has the cells that it works on, by position."""

    def __init__(self, process: "subprocess.Popen[bytes]", connection: socket.socket) -> None:
        self.waiting: dict[int, asyncio.Future[Any]] = {}
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._process, self._connection = process, connection
        self._writer: asyncio.StreamWriter | None = None
        self._queued: list[int] = []
        self._ended: BaseException | None = None

    async def serve(self, job: Job, take: Callable[[News], None]) -> None:
        """Send the job and take in what the lane tells, until it ends."""
        reader, writer = await asyncio.open_unix_connection(sock=self._connection, limit=STREAM_BYTES)
        self._writer = writer
        writer.write(as_bytes(job))
        while (news := await read_message(reader)) is not None:
            take(news)
            if news.failed is not None:
                self._end(news.failed)
            if news.is_open:
                self.opened.set_result(None)
            for index, result in news.made:
                settle(self.waiting.pop(index), result)
        self._end(
            SkillmillError(
                "runner.workers: a process that sends requests ended by itself, as when memory runs out; nothing is "
                "lost: run again, with runner.workers: 1 to send them from one process"
            )
        )

    async def make(self, index: int) -> Any:
        """Return the rows of the cell at a position. Raises what the lane met, and `SkillmillError` if it is lost."""
        if self._ended is not None:
            raise self._ended
        self.waiting[index] = future = asyncio.get_running_loop().create_future()
        if not self._queued:
            asyncio.get_running_loop().call_soon(self._send)
        self._queued.append(index)
        return await future

    async def close(self, serving: "asyncio.Task[None]") -> None:
        """Let the lane end, and take in its last message."""
        self._ended = self._ended or SkillmillError("the lanes are closed")
        if self._writer is not None:
            with suppress(OSError, TimeoutError):
                self._writer.write_eof()
                await asyncio.wait_for(serving, END_S)
        serving.cancel()
        with suppress(OSError):  # it has ended already
            self._connection.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self) -> None:
        indices, self._queued = self._queued, []
        if self._writer is not None:
            self._writer.write(as_bytes(indices))

    def _end(self, error: BaseException) -> None:
        self._ended = self._ended or error
        for future in (self.opened, *self.waiting.values()):
            settle(future, self._ended)
        self.waiting.clear()


@asynccontextmanager
async def open_lanes(
    config: Config, plan: str, filters: FiltersConfig, overrides: Overrides, usage: Usage, count: int
) -> AsyncIterator[Callable[[Cell], Awaitable[Any]]]:
    """Open `count` lanes for the duration of the block; yield a function that returns the `CellRows` of a cell.

    `plan` is the fingerprint of the plan. `usage` takes in what the requests of all lanes took. Raises what
    `open_teacher` raises in a lane.
    """
    seen = set[str]()

    def take(news: News, is_first: bool) -> None:
        usage.add(news.used)
        if is_first:  # all lanes read the counters of the same server
            usage.cache.queries, usage.cache.hits = news.cache
        for name, level, text in news.logged:
            if text not in seen:  # each lane meets the same things
                seen.add(text)
                logging.getLogger(name).log(level, "%s", text)

    async with AsyncExitStack() as stack:
        lanes = list[Lane]()
        for number in range(count):
            lane = _start_lane()
            job = Job(lane_config(config, number, count), plan, filters, overrides)
            serving = asyncio.create_task(lane.serve(job, partial(take, is_first=number == 0)))
            stack.push_async_callback(lane.close, serving)
            lanes.append(lane)
        await asyncio.gather(*(lane.opened for lane in lanes))

        async def make(cell: Cell) -> Any:
            return await min(lanes, key=lambda lane: len(lane.waiting)).make(cell.index)

        yield make


def _start_lane() -> Lane:
    """Start the process of a lane, in a session of its own, so that Ctrl-C in a terminal reaches the run alone."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(  # noqa: S603 (our own module)
        [sys.executable, "-P", "-m", "skillmill.flows.lanes.lane", str(theirs.fileno())],
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )
    theirs.close()
    return Lane(process, ours)
