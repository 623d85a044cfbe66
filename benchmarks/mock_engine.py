"""A mock engine: an HTTP server with latencies, a limited number of slots, configurable faults and statistics.

It implements the OpenAI chat API and vLLM's `/metrics`. At most `--slots` requests run at once; the others wait in a
queue. As a script, it prints its port and serves until it is killed; `GET /stats` returns its statistics.

It uses asyncio without a web framework and parses HTTP itself, because it shares two cores with the client that it
measures, and a framework would use as much CPU time as that client.
"""

import argparse
import asyncio
import functools
import heapq
import random
import re
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import orjson

from skillmill.filters.shirker.features.word_vectors import word_vectors

FREQUENT = "the of and to a in is that for it as with on by this are be or from your you can".split()
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
FAULTS = ("server_error", "rate_limit", "cut", "broken_json")


@dataclass(frozen=True)
class Settings:
    """Settings of the mock engine.

    `latency`: seconds of every request if `sigma` is 0, else the median of a lognormal distribution. `characters`:
    length of an answer. `faults`: share of the requests that fail. `bad`: a request that contains one of these texts
    gets HTTP 400. `kv_requests`: how many requests fit the KV cache; a request that starts beyond them is preempted
    once, which doubles its time. `has_metrics`: whether `/metrics` is served.
    """

    slots: int
    latency: float
    sigma: float
    characters: int
    faults: float
    bad: tuple[str, ...]
    kv_requests: int
    seed: int
    has_metrics: bool = True


@dataclass
class Engine:
    """The slots, the queue and the statistics.

    `drawn`: latencies drawn so far, in seconds. `busy`: slot-seconds used. `first`, `last`: times of the first start
    and the latest change. `payload`: bytes of the answers sent. `arrivals`: how often each request body arrived.
    """

    settings: Settings
    running: int = 0
    waiting: deque["Connection"] = field(default_factory=deque)
    most_running: int = 0
    most_waiting: int = 0
    preemptions: int = 0
    served: int = 0
    payload: int = 0
    drawn: list[float] = field(default_factory=list)
    busy: float = 0.0
    first: float = 0.0
    last: float = 0.0
    arrivals: Counter[bytes] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    _changed: float = 0.0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.settings.seed)

    def reply(self, body: bytes) -> tuple[bytes, dict[str, Any]]:
        """Return the answer to a request and its `usage`; four characters count as one token."""
        text = answer(body, self.settings.characters)
        return text, {"prompt_tokens": len(body) // 4, "completion_tokens": len(text) // 4}

    def submit(self, connection: "Connection") -> None:
        """Start the request of a connection, or put it into the queue if all slots are taken."""
        if self.running < self.settings.slots:
            self._start(connection)
        else:
            self.waiting.append(connection)
            self.most_waiting = max(self.most_waiting, len(self.waiting))

    def _start(self, connection: "Connection") -> None:
        seconds = self.settings.latency
        if self.settings.sigma:
            seconds *= self._dice.lognormvariate(0, self.settings.sigma)
        if self.running >= self.settings.kv_requests:
            self.preemptions += 1
            seconds *= 2
        self.drawn.append(seconds)
        self._run(+1)
        asyncio.get_running_loop().call_later(seconds, self._finish, connection)

    def _finish(self, connection: "Connection") -> None:
        self._run(-1)
        connection.answer()
        while self.waiting and self.running < self.settings.slots:
            self._start(self.waiting.popleft())

    def _run(self, change: int) -> None:
        now = time.monotonic()
        self.busy += self.running * (now - self._changed)
        self._changed = self.last = now
        self.first = self.first or now
        self.running += change
        self.most_running = max(self.most_running, self.running)

    def stats(self) -> dict[str, Any]:
        """Return the statistics as JSON values.

        `occupancy`: running requests over slots, averaged from the first start to the last end. `work_share`: the same
        computed from the drawn latencies, which excludes delays of the server itself. `best_share`: the occupancy of a
        client without any cost for the same latencies; it is below 1 because slots become idle before the last request
        ends. `repeated`: requests whose body had arrived before.
        """
        window = self.last - self.first
        slot_seconds = self.settings.slots * window
        return {
            "requests": self.arrivals.total(),
            "repeated": self.arrivals.total() - len(self.arrivals),
            "served": self.served,
            "payload_bytes": self.payload,
            "failed": dict(self.failed),
            "most_running": self.most_running,
            "most_waiting": self.most_waiting,
            "window_s": window,
            "occupancy": self.busy / slot_seconds if window else 0.0,
            "work_share": sum(self.drawn) / slot_seconds if window else 0.0,
            "best_share": best_share(self.drawn, self.settings.slots),
            "cpu_s": time.process_time(),
        }

    def metrics(self) -> str:
        """Return the metrics of vLLM's endpoint that a client can use to set its concurrency."""
        gauges = {
            "num_requests_running": self.running,
            "num_requests_waiting": len(self.waiting),
            "kv_cache_usage_perc": min(1.0, self.running / self.settings.kv_requests),
        }
        lines = [f'# TYPE vllm:{name} gauge\nvllm:{name}{{model_name="mock"}} {gauges[name]}' for name in gauges]
        counters = {"num_preemptions_total": self.preemptions, "request_success_total": self.served}
        lines += [f'# TYPE vllm:{name} counter\nvllm:{name}{{model_name="mock"}} {counters[name]}' for name in counters]
        return "\n".join(lines) + "\n"


def best_share(seconds: list[float], slots: int) -> float:
    """Return the occupancy of `slots` that start the next request, in order, as soon as one ends."""
    ends = [0.0] * slots
    for each in seconds:
        heapq.heapreplace(ends, ends[0] + each)
    return sum(seconds) / (slots * max(ends)) if any(ends) else 0.0


class Connection(asyncio.Protocol):
    """One keep-alive connection; the client sends a request after the answer to its previous one."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._received, self.body = engine, b"", b""
        self._fault = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = LENGTH.search(head) if end else None
        if not end or len(body) < (int(length[1]) if length else 0):
            return
        self._received = b""
        path = head.split(b" ", 2)[1]
        if head.startswith(b"POST") and path.endswith(b"/chat/completions"):
            self._chat(body)
        elif path == b"/stats":
            self._send(200, orjson.dumps(self._engine.stats()))
        elif path == b"/metrics" and self._engine.settings.has_metrics:
            self._send(200, self._engine.metrics().encode())
        elif path.endswith(b"/models"):
            self._send(200, b'{"object": "list", "data": [{"id": "mock", "object": "model"}]}')
        else:
            self._send(405, b"{}")

    def _chat(self, body: bytes) -> None:
        engine, settings = self._engine, self._engine.settings
        tries = engine.arrivals[body_key(body)] = engine.arrivals[body_key(body)] + 1
        if any(marker.encode() in body for marker in settings.bad):
            engine.failed["bad_prompt"] += 1
            return self._send(400, b'{"error": {"message": "this prompt is not welcome"}}')
        dice = random.Random(b"%d %s" % (tries, body)) if settings.faults else None
        self._fault = dice.choice(FAULTS) if dice and dice.random() < settings.faults else ""
        if self._fault == "rate_limit":  # like a real server, it rejects the request before it takes a slot
            engine.failed["rate_limit"] += 1
            return self._send(429, b'{"error": {"message": "slow down"}}', b"Retry-After: 0.1\r\n")
        self.body = body
        return engine.submit(self)

    def answer(self) -> None:
        """Send the answer to the request, or its fault."""
        engine = self._engine
        if self._fault:
            engine.failed[self._fault] += 1
        match self._fault:
            case "server_error":
                return self._send(500, b'{"error": {"message": "boom"}}')
            case "cut":
                return self._transport.close()
            case "broken_json":
                return self._send(200, b'{"choices": [{"mess')
        text, usage = engine.reply(self.body)
        engine.served += 1
        engine.payload += len(text)
        return self._send(200, completion(text, usage))

    def _send(self, status: int, content: bytes, headers: bytes = b"") -> None:
        self._transport.write(
            b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s"
            % (status, headers, len(content), content)
        )


def body_key(body: bytes) -> bytes:
    """Return a key of eight bytes for a request body."""
    return hash(body).to_bytes(8, "big", signed=True)


@functools.cache
def story() -> str:
    """Return 64 KiB of random English words, 45 % of them frequent ones, so that filters read it like real text."""
    dice = random.Random(0)
    words = sorted(word for word in word_vectors().words if len(word) > 3)[::5]
    drawn = [dice.choice(FREQUENT if dice.random() < 0.45 else words) for _ in range(16000)]
    return ". ".join(" ".join(drawn[i : i + 12]).capitalize() for i in range(0, len(drawn), 12))[: 2**16]


def answer(body: bytes, characters: int) -> bytes:
    """Return a passage of the story, decided by the request body; as Skill-Mix JSON if the request has a schema."""
    start = random.Random(body).randrange(len(story()))
    text = (story() + story())[start : start + characters] + "."
    if b'"response_format"' not in body:
        return text.encode()
    return orjson.dumps({"answer": text, "explanation": "Both skills are there."})


def completion(text: bytes, usage: dict[str, Any]) -> bytes:
    """Return the body of a chat completion."""
    message = {"role": "assistant", "content": text.decode()}
    return orjson.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})


async def listen(engine: Engine) -> asyncio.Server:
    """Start the server on a free port of the loopback interface."""
    return await asyncio.get_running_loop().create_server(lambda: Connection(engine), "127.0.0.1", 0, backlog=4096)


async def serve(engine: Engine) -> None:
    """Print the port and serve until the process is killed."""
    server = await listen(engine)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--slots", type=int, default=64)
    arguments.add_argument("--latency", type=float, default=0.2, help="seconds; the median where --sigma is given")
    arguments.add_argument("--sigma", type=float, default=0.0)
    arguments.add_argument("--characters", type=int, default=900, help="of an answer")
    arguments.add_argument("--faults", type=float, default=0.0, help="share of requests that fail, in four ways")
    arguments.add_argument("--bad", nargs="*", default=[], help="requests that contain such a text get HTTP 400")
    arguments.add_argument(
        "--kv-requests", type=int, default=0, help="requests that fit the KV cache (default: the slots)"
    )
    arguments.add_argument("--no-metrics", dest="has_metrics", action="store_false", help="serve no /metrics")
    arguments.add_argument("--seed", type=int, default=0, help="of the latencies")
    options = vars(arguments.parse_args())
    options["kv_requests"] = options["kv_requests"] or options["slots"]
    asyncio.run(serve(Engine(Settings(**options | {"bad": tuple(options["bad"])}))))


if __name__ == "__main__":
    main()
