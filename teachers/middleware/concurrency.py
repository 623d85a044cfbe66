"""How many requests are in flight: as many as the engine takes gladly, at most `max_in_flight`.

Two judges, the smaller number holds. A server that refuses load (429, 503, time-outs) is met by additive increase
and multiplicative decrease, as TCP does; the decrease is in proportion to the share that was refused (as in DCTCP,
SIGCOMM 2010, section 3.1), so that a stray refusal costs next to nothing. A self-hosted vLLM refuses nothing and lets
its queue grow; there the number follows the engine's own `/metrics`. Both start at the ceiling: a server that never
complains is as full as with a fixed number. The decisions are functions of values, `Slots` is the asyncio around them.
"""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

POLL_S = 1.0
ROUNDS_TO_CEILING = 32
"""Rounds without a refusal from nothing back to the ceiling."""

SHORT_QUEUE, DEEP_QUEUE = 0.25, 0.5
"""Requests that wait in the engine, as shares of those that run. A quarter keeps it fed while this process writes a
shard; beyond a half they only wait."""
KV_FULL = 0.95
PREEMPTED = 0.9
STEADY = 3
"""Observations that must agree before the number falls: a burst of new requests is admitted step by step."""


@dataclass(frozen=True, slots=True)
class Aimd:
    """A limit that adapts once a round trip, which is as many outcomes as there are slots."""

    ceiling: int
    limit: float
    seen: int = 0
    refused: int = 0

    def after(self, refused: bool) -> "Aimd":
        """The state after one more outcome."""
        state = Aimd(self.ceiling, self.limit, self.seen + 1, self.refused + refused)
        if state.seen < state.limit:
            return state
        share = state.refused / state.seen
        step = max(1.0, self.ceiling / ROUNDS_TO_CEILING)
        limit = self.limit * (1 - share / 2) + step * (1 - share)
        return Aimd(self.ceiling, min(max(1.0, limit), float(self.ceiling)))


@dataclass(frozen=True, slots=True)
class Load:
    """What an engine says of itself: requests that run and wait, share of KV cache in use, preemptions so far.

    `cache_queries` are the prompt tokens that it looked for in its prefix cache so far, `cache_hits` those found there.
    """

    running: float
    waiting: float
    kv_used: float = 0.0
    preemptions: float = 0.0
    cache_queries: float = 0.0
    cache_hits: float = 0.0


@dataclass(frozen=True, slots=True)
class Follower:
    """A limit that follows the load of an engine; `recent` holds its last observations, the newest last."""

    ceiling: int
    limit: int
    recent: tuple[Load, ...] = ()

    def after(self, load: Load) -> "Follower":
        """The state after one more observation.

        It falls to what runs plus a short queue when the queue was deep for `STEADY` observations, by a tenth when
        the engine had to preempt, and grows by a quarter when nothing waits and the KV cache has room.
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
            wanted = (1 + SHORT_QUEUE) * max(each.running for each in recent) + 1
            limit = min(limit, max(int(wanted), limit // 2))
        return replace(self, limit=min(max(1, limit), self.ceiling), recent=recent)


class Slots:
    """A semaphore whose size adapts: `async with slots:` holds one, first come, first served."""

    def __init__(self, ceiling: int) -> None:
        self._aimd, self._follower = Aimd(ceiling, float(ceiling)), Follower(ceiling, ceiling)
        self.used = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        return min(int(self._aimd.limit), self._follower.limit)

    def note(self, refused: bool) -> None:
        """One request came back, `refused` if the server had too much to do."""
        if refused or self._aimd.refused or self._aimd.limit < self._aimd.ceiling:  # else nothing can change
            self._aimd = self._aimd.after(refused)
            self._admit()

    def observe(self, load: Load) -> None:
        self._follower = self._follower.after(load)
        self._admit()

    async def follow(self, read: Callable[[], Awaitable[Load | None]]) -> None:
        """Observe for ever what `read` tells; None is "not now". Ends at once where the first answer is None."""
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
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the slot came in the same moment: on to the next one
                await self.__aexit__()
            raise

    async def __aexit__(self, *_: object) -> None:
        self.used -= 1
        self._admit()

    def _admit(self) -> None:
        limit = self.limit
        while self._waiting and self.used < limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.used += 1
                turn.set_result(None)


_SAMPLE = re.compile(
    r"^vllm:(num_requests_running|num_requests_waiting|kv_cache_usage_perc|gpu_cache_usage_perc|num_preemptions|"
    r"(?:gpu_)?prefix_cache_queries|(?:gpu_)?prefix_cache_hits)"
    r"(?:_total)?(?:\{[^\n]*\})? ([0-9.eE+-]+)(?: \d+)?$",
    re.MULTILINE,
)


def vllm_load(metrics: str) -> Load | None:
    """The load in vLLM's Prometheus text, over all its engines; None where it is not vLLM's.

    By a pattern and not by a whole parser: the text has a thousand lines, and six of them matter once a second.
    """
    found: dict[str, list[float]] = {}
    for name, value in _SAMPLE.findall(metrics):
        found.setdefault(name.replace("gpu_prefix", "prefix"), []).append(float(value))
    if "num_requests_running" not in found or "num_requests_waiting" not in found:
        return None
    return Load(
        running=sum(found["num_requests_running"]),
        waiting=sum(found["num_requests_waiting"]),
        kv_used=max(found.get("kv_cache_usage_perc") or found.get("gpu_cache_usage_perc") or [0.0]),
        preemptions=sum(found.get("num_preemptions", [])),
        cache_queries=sum(found.get("prefix_cache_queries", [])),
        cache_hits=sum(found.get("prefix_cache_hits", [])),
    )
