"""What a run and its lanes send to each other: pickled values, each with its size in front."""

import asyncio
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from skillmill.filters.config import FiltersConfig
from skillmill.filters.overrides import Overrides
from skillmill.flows.config import Config

_SIZE = struct.Struct("!Q")


@dataclass(frozen=True)
class Job:
    """What a lane generates: cells of the plan of a configuration, decided by the filters and overrides of the run.

    `plan` is the fingerprint of the plan. The lane makes the plan itself, and refuses another one.
    """

    config: Config
    plan: str
    filters: FiltersConfig
    overrides: Overrides


@dataclass
class News:
    """What a lane tells the run.

    Attributes:
        made: the position of each finished cell, with its `CellRows` or the exception that ends the run.
        is_open: the teacher is open, and the lane takes cells.
        failed: the exception by which the lane ended.
        used: what the lane's requests took since its last message, by stage and field of `StageUsage`.
        cache: prompt tokens that the server looked up in its prefix cache, and found there, since the lane began.
        logged: name of the logger, level and text of log messages.
    """

    made: list[tuple[int, Any]] = field(default_factory=list)
    is_open: bool = False
    failed: BaseException | None = None
    used: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    cache: tuple[float, float] = (0.0, 0.0)
    logged: list[tuple[str, int, str]] = field(default_factory=list)


def as_bytes(message: object) -> bytes:
    """Return a message as `read_message` reads it."""
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _SIZE.pack(len(content)) + content


async def read_message(reader: asyncio.StreamReader) -> Any:
    """Return the next message, None if the other side has ended or is lost."""
    try:
        [size] = _SIZE.unpack(await reader.readexactly(_SIZE.size))
        return pickle.loads(await reader.readexactly(size))  # noqa: S301 (from a process of our own)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
