"""The process of a lane: it generates and decides the cells that the run names, and sends their rows back.

    python -m skillmill.flows.lanes.lane SOCKET    (the number of an open socket, whose other end the run holds)

It ends when the run closes the other end, also by being killed.
"""

import asyncio
import logging
import os
import pickle
import socket
import sys
import traceback

from skillmill.data.errors import SkillmillError
from skillmill.data.terminal import LOGGER
from skillmill.flows.lanes.messages import Job, News, as_bytes, read_message
from skillmill.flows.plan import make_plan
from skillmill.flows.rows.cell_rows import Make, open_make
from skillmill.flows.rows.decide import rules_of
from skillmill.flows.runtime.loop import run
from skillmill.flows.runtime.workspace import journal_path
from skillmill.flows.steps.taxonomy import existing_taxonomy
from skillmill.teachers.middleware.accounting import Usage
from skillmill.teachers.middleware.journal import Journal

SEND_AFTER_S = 0.01
"""Seconds that a finished cell may wait for others to be sent together with them."""


class _Outbox(logging.Handler):
    """Collects what the run has to know, log messages included, and sends it every `SEND_AFTER_S` seconds at most."""

    def __init__(self, writer: asyncio.StreamWriter, usage: Usage) -> None:
        super().__init__()
        self._writer, self._usage = writer, usage
        self._news, self._sent = News(), usage.as_dict()
        self._scheduled, self._loop = False, asyncio.get_running_loop()

    def made(self, index: int, result: object) -> None:
        """Send the rows of a cell, or the exception that it ended with."""
        self._news.made.append((index, result))
        self._schedule()

    def emit(self, record: logging.LogRecord) -> None:
        """Send a log message, of any thread."""
        self._news.logged.append((record.name, record.levelno, record.getMessage()))
        self._loop.call_soon_threadsafe(self._schedule)

    def send(self, is_open: bool = False, failed: BaseException | None = None) -> None:
        """Send everything now."""
        news, self._news, self._scheduled = self._news, News(), False
        before, self._sent = self._sent, self._usage.as_dict()
        news.used = {
            stage: {name: value - before.get(stage, {}).get(name, 0) for name, value in totals.items()}
            for stage, totals in self._sent.items()
        }
        news.cache = self._usage.cache.queries, self._usage.cache.hits
        news.is_open, news.failed = is_open, failed
        self._writer.write(as_bytes(news))

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_later(SEND_AFTER_S, self.send)


async def _serve(connection: socket.socket) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    job = await read_message(reader)
    if job is None:
        return
    usage = Usage(job.config.prices)
    outbox = _Outbox(writer, usage)
    logger = logging.getLogger(LOGGER)
    logger.addHandler(outbox)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        await _generate(job, usage, reader, outbox)
        outbox.send()
    except Exception as error:
        outbox.send(failed=_portable(error))
    logger.removeHandler(outbox)
    writer.close()
    await writer.wait_closed()


async def _generate(job: Job, usage: Usage, reader: asyncio.StreamReader, outbox: _Outbox) -> None:
    """Make the cells whose positions arrive, until no more do; cells that are not finished then are cancelled."""
    config = job.config
    plan = make_plan(config, existing_taxonomy(config))
    if plan.fingerprint != job.plan:
        raise SkillmillError("taxonomy.yaml or a file of the configuration was changed during the run: run again")
    rules = rules_of(config, job.filters, job.overrides)
    journal = Journal(journal_path(config))
    running = set[asyncio.Task[None]]()

    async def one(index: int, make: Make) -> None:
        cell = plan.combinations[index]
        assert cell is not None, "the run names positions of cells"
        try:
            outbox.made(index, await make(cell))
        except Exception as error:
            outbox.made(index, _portable(error))

    try:
        async with open_make(config, plan, journal.of_plan(plan.fingerprint), usage, rules) as make:
            outbox.send(is_open=True)
            try:
                while (indices := await read_message(reader)) is not None:
                    for index in indices:
                        task = asyncio.create_task(one(index, make))
                        running.add(task)
                        task.add_done_callback(running.discard)
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
    finally:
        journal.close()


def _portable(error: Exception) -> Exception:
    """Return an exception that can be pickled; one that is a fault of the program takes its traceback along."""
    if not isinstance(error, SkillmillError):
        error.add_note("in a lane:\n" + "".join(traceback.format_exception(error)))
    try:
        received = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)
    except Exception:
        received = None
    return error if str(received) == str(error) else SkillmillError(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    os.dup2(2, 1)  # standard output is for the results of a command, not for what a user's module prints
    run(_serve(socket.socket(fileno=int(sys.argv[1]))), tick=lambda: None)
