"""How many requests are in flight: as many as the engine handles well, at most `max_in_flight`.

Two limits apply, and the smaller one holds. For a server that rejects load (429, 503, time-outs) the limit follows
additive increase and multiplicative decrease, as in TCP. The decrease is in proportion to the share of rejected
requests (as in DCTCP, SIGCOMM 2010, section 3.1), so a single rejection has almost no effect. A self-hosted vLLM
rejects nothing and lets its queue grow; for it the limit follows the engine's own `/metrics`. Both limits start at the
ceiling, so a server that never rejects is as busy as with a fixed limit. `Aimd` and `Follower` are pure; `Slots` is the
asyncio semaphore around them.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from skillmill.teachers.base import Load

log = logging.getLogger(__name__)

POLL_S = 1.0
ROUNDS_TO_CEILING = 32
"""Round trips without a rejection in which the limit grows from 1 to the ceiling."""

SHORT_QUEUE, DEEP_QUEUE = 0.25, 0.5
"""Numbers of requests that wait in the engine, as shares of those that run. A quarter keeps the engine busy while this
process writes a shard; more than a half gains nothing."""
KV_FULL = 0.95
"""Used share of the KV cache from which the limit does not grow."""
PREEMPTED = 0.9
"""Factor for the limit after a preemption."""
STEADY = 3
"""Observations with a deep queue before the limit falls: an engine admits a burst of requests step by step."""


@dataclass(frozen=True, slots=True)
class Aimd:
    """A limit that adapts once a round trip, that is after as many outcomes as there are slots."""

    ceiling: int
    limit: float
    outcomes: int = 0
    rejections: int = 0

    def after(self, rejected: bool) -> "Aimd":
        """Return the state after one more outcome."""
        state = Aimd(self.ceiling, self.limit, self.outcomes + 1, self.rejections + rejected)
        if state.outcomes < state.limit:
            return state
        share = state.rejections / state.outcomes
        step = max(1.0, self.ceiling / ROUNDS_TO_CEILING)
        limit = self.limit * (1 - share / 2) + step * (1 - share)
        return Aimd(self.ceiling, min(max(1.0, limit), float(self.ceiling)))


@dataclass(frozen=True, slots=True)
class Follower:
    """A limit that follows the load of an engine. `recent` holds the last observations, the newest last."""

    ceiling: int
    limit: int
    recent: tuple[Load, ...] = ()

    def after(self, load: Load) -> "Follower":
        """Return the state after one more observation.

        The limit falls to the running requests plus a short queue after `STEADY` observations of a deep queue, falls
        by a tenth after a preemption, and grows by a quarter if no request waits and the KV cache has room.
        """
        recent = (*self.recent, load)[-STEADY:]
        before = recent[-2] if len(recent) > 1 else load
        limit = self.limit
        if load.preemptions > before.preemptions:
            limit = min(limit, int(PREEMPTED * (load.running + load.waiting)))
        elif load.waiting < 1:
            if load.kv_used < KV_FULL:
                limit += limit // 4 + 1
        elif len(recent) == STEADY and all(each.waiting > DEEP_QUEUE * each.running for each in recent):
            target = (1 + SHORT_QUEUE) * max(each.running for each in recent) + 1
            limit = min(limit, max(int(target), limit // 2))
        return replace(self, limit=min(max(1, limit), self.ceiling), recent=recent)


class Slots:
    """A semaphore with an adaptive size: `async with slots:` holds one slot, in order of arrival."""

    def __init__(self, ceiling: int) -> None:
        self._aimd, self._follower = Aimd(ceiling, float(ceiling)), Follower(ceiling, ceiling)
        self._logged_limit = ceiling
        self.used = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """The present number of slots."""
        return min(int(self._aimd.limit), self._follower.limit)

    def note(self, rejected: bool) -> None:
        """Take in the outcome of one request: `rejected` if the server was overloaded."""
        if rejected or self._aimd.rejections or self._aimd.limit < self._aimd.ceiling:  # else the limit cannot change
            self._aimd = self._aimd.after(rejected)
            self._admit()

    def observe(self, load: Load) -> None:
        """Take in an observation of the engine's load."""
        self._follower = self._follower.after(load)
        self._admit()

    async def follow(self, read: Callable[[], Awaitable[Load | None]]) -> None:
        """Observe the load that `read` returns every `POLL_S` seconds, until cancelled.

        None means that the load is not known at present. If the first result is None, the engine reports no load and
        this returns.
        """
        load = await read()
        while load is not None or self._follower.recent:
            if load is not None:
                self.observe(load)
            await asyncio.sleep(POLL_S)
            load = await read()

    async def __aenter__(self) -> None:
        if self.used < self.limit and not self._waiting:
            self.used += 1
            return
        admitted = asyncio.get_running_loop().create_future()
        self._waiting.append(admitted)
        try:
            await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled():  # admitted and cancelled at once: release the slot
                await self.__aexit__()
            raise

    async def __aexit__(self, *_: object) -> None:
        self.used -= 1
        self._admit()

    def _admit(self) -> None:
        limit = self.limit
        if limit != self._logged_limit:
            self._logged_limit = limit
            log.debug("teacher: at most %d of %d requests at once", limit, self._aimd.ceiling)
        while self._waiting and self.used < limit:
            admitted = self._waiting.popleft()
            if not admitted.done():
                self.used += 1
                admitted.set_result(None)
