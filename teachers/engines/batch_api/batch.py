"""One batch in this process: its requests, who waits for them, and how long to wait between two looks."""

import asyncio
from dataclasses import dataclass, field
from typing import BinaryIO

from skillmill.data.futures import settle
from skillmill.teachers.engines.batch_api.lines import Answer, Place
from skillmill.teachers.engines.batch_api.record import BatchRecord
from skillmill.teachers.engines.batch_api.status import BatchStatus
from skillmill.teachers.engines.chat_api.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Pace:
    """Waiting times in seconds.

    A batch is submitted once no request has come for `gather_s`, or `longest_gather_s` after its first one. The pause
    between two polls grows from `first_poll_s` to `longest_poll_s`. `relist_s` is the pause before a batch that may
    just have been created counts as not created, `full_s` the pause before a provider without room is tried again.
    """

    gather_s: float = 2.0
    longest_gather_s: float = 300.0
    first_poll_s: float = 1.0
    longest_poll_s: float = 60.0
    poll_growth: float = 1.5
    relist_s: float = 5.0
    full_s: float = 300.0


@dataclass(eq=False)
class Batch:
    """A batch in this process. `left` are the keys whose answers nobody has taken, `waiting` who waits for which.

    `size` is that of its requests in bytes; `places` is where its answers are, None before it has ended.
    """

    record: BatchRecord
    left: set[bytes] = field(default_factory=set)
    waiting: dict[bytes, list[asyncio.Future[Answer]]] = field(default_factory=dict)
    dialect: Dialect = field(default_factory=Dialect)
    size: int = 0
    file: BinaryIO | None = None
    places: dict[bytes, Place] | None = None
    status: BatchStatus | None = None
    task: asyncio.Task[None] | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether this call waits for it, and it has been submitted and has not ended."""
        return self.task is not None and bool(self.record.batch_id) and self.places is None

    def resolve(self, key: bytes, answer: Answer) -> None:
        """Give an answer to those who wait for it."""
        for future in self.waiting.pop(key, ()):
            settle(future, answer)

    def fail(self, error: Exception) -> None:
        """Raise an error for all who wait."""
        for future in [future for futures in self.waiting.values() for future in futures]:
            settle(future, error)
