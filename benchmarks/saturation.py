"""Throughput of the pipeline relative to the bare engine, for the same prompts and the same number of tokens.

    python benchmarks/saturation.py --engine embedded|vllm [--rows N] [--rounds N] [--json OUT]

One engine in one process serves both sides in alternation (bare, pipeline, pipeline, bare …), so that other load on the
machine affects both equally. Bare: all requests are sent at once through the engine's own interface. Pipeline:
`generate` from its first request to its last shard, with journal and filters. Every answer has the same number of
tokens.
"""

import argparse
import asyncio
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skillmill.flows.config import Config, parse_config
from skillmill.flows.steps.generate import generate_step
from skillmill.flows.steps.taxonomy import current_plan
from skillmill.teachers.base import Reply, Request
from skillmill.teachers.build import close_engines
from skillmill.teachers.engines import embedded, vllm
from skillmill.teachers.engines.embedded import Embedded, chat_body
from skillmill.teachers.engines.vllm import Vllm, sampling_params

TARGET = 0.95
SLOTS = {"embedded": 8, "vllm": 32}
"""Requests that the engine decodes at once."""
WAITING = {"embedded": 0, "vllm": 16}
"""Further requests in flight: vLLM has its own queue, while each slot of llama.cpp is a thread of ours."""
TOKENS = 64
ENGINE_ARGS: dict[str, dict[str, Any]] = {
    # Caches of earlier prompts are off: both sides send the same prompts, and the second side would profit.
    "embedded": {"cache_ram_mib": 0},
    "vllm": {
        "enforce_eager": True,
        "max_model_len": 2048,
        "kv_cache_memory_bytes": 1 << 30,
        "max_num_seqs": SLOTS["vllm"],
        "enable_prefix_caching": False,
    },
}


@dataclass
class Recorder:
    """A teacher that records its requests and returns empty replies."""

    name: str = "recorder"
    requests: list[Request] = field(default_factory=list)

    async def chat(self, request: Request) -> Reply:
        """Record a request."""
        self.requests.append(request)
        return Reply("", "stop", 0, 0)


def configuration(engine: str, rows: int, seed: int, folder: Path) -> Config:
    """Return the configuration of a run with one request per row and answers of `TOKENS` tokens."""
    teacher = {
        "kind": engine,
        "max_in_flight": SLOTS[engine] + WAITING[engine],
        "sampling": {"max_tokens": TOKENS, "ignore_eos": True},
        "engine_args": ENGINE_ARGS[engine],
    }
    generation = {"kind": "one_turn:OneTurn", "samples": rows}
    return parse_config(
        {"teacher": teacher, "generation": generation, "seed": seed, "output_dir": str(folder / f"{seed}")}
    )


def requests_of(config: Config) -> list[Request]:
    """Return the requests that the pipeline will send, without sending them."""
    plan, recorder = current_plan(config), Recorder()

    async def all_cells() -> None:
        for index in range(config.generation.samples or 0):
            await plan.generator.make(plan.combinations[index], recorder)

    asyncio.run(all_cells())
    return recorder.requests


def bare_embedded(engine: Embedded, requests: list[Request]) -> int:
    """Send the requests to llama.cpp; return the number of generated tokens."""

    def one(request: Request) -> int:
        chunks: list[dict[str, Any]] = []
        plain = {key: value for key, value in chat_body(request).items() if not key.startswith("stream")}
        engine._server.handle_chat_completions(plain, chunks.append)
        return int(chunks[-1]["usage"]["completion_tokens"])

    with ThreadPoolExecutor(SLOTS["embedded"]) as threads:
        return sum(threads.map(one, requests))


def bare_vllm(engine: Vllm, requests: list[Request]) -> int:
    """Send the requests to vLLM; return the number of generated tokens."""
    names = itertools.count()

    async def one(request: Request) -> int:
        prompt = await engine._prompt(request.messages, {})
        async for output in engine._engine.generate(prompt, sampling_params(request), f"bare {next(names)}"):
            tokens = len(output.outputs[0].token_ids)
        return tokens

    async def all_at_once() -> int:
        return sum(await asyncio.gather(*map(one, requests)))

    return engine._submit(all_at_once()).result()


def timed(work: Callable[[], int]) -> tuple[int, float]:
    """Return the result of `work` and its seconds."""
    start = time.monotonic()
    return work(), time.monotonic() - start


def measure(kind: str, rows: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Return the tokens per second of both sides over all rounds, and their ratio."""
    module = embedded if kind == "embedded" else vllm
    engine = module.shared_engine(configuration(kind, rows, 0, folder).teacher)
    bare: Callable[[Any, list[Request]], int] = bare_vllm if kind == "vllm" else bare_embedded
    bare(engine, requests_of(configuration(kind, SLOTS[kind], 0, folder)))  # warm-up
    spent: dict[str, list[tuple[int, float]]] = {"bare": [], "pipeline": []}
    for number in range(rounds):
        config = configuration(kind, rows, number + 1, folder)
        requests = requests_of(config)

        def through_pipeline(config: Config = config) -> int:
            return generate_step(config).cells * TOKENS

        def directly(requests: list[Request] = requests) -> int:
            return bare(engine, requests)

        order = [("bare", directly), ("pipeline", through_pipeline)]
        for side, work in order if number % 2 == 0 else order[::-1]:
            spent[side].append(timed(work))
            tokens, seconds = spent[side][-1]
            if tokens != rows * TOKENS:
                raise SystemExit(f"{side}: {tokens} tokens instead of {rows * TOKENS}: the sides are not comparable")
            print(f"round {number + 1} {side:8} {tokens / seconds:8.1f} tokens/s", flush=True)
    speed = {side: sum(n for n, _ in runs) / sum(s for _, s in runs) for side, runs in spent.items()}
    return {"engine": kind, "rows": rows, "rounds": rounds, **speed, "ratio": speed["pipeline"] / speed["bare"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=SLOTS, default="embedded")
    parser.add_argument("--rows", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.chdir(Path(__file__).parent)  # `one_turn` is imported from here
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options.engine, options.rows, options.rounds, Path(folder))
    close_engines()
    verdict = "met" if result["ratio"] >= TARGET else "MISSED"
    print(
        f"saturation, {result['engine']}: {result['pipeline']:.1f} of {result['bare']:.1f} tokens/s, "
        f"ratio {result['ratio']:.3f} >= {TARGET} {verdict}"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))
    raise SystemExit(verdict != "met")


if __name__ == "__main__":
    main()
