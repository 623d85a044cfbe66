"""Tokens per second through the pipeline over those of the bare engine, on the same prompts and the same tokens.

    python benchmarks/saturation.py --engine embedded|vllm [--rows N] [--rounds N] [--json OUT]

One engine in one process answers both, in turns (bare, pipeline, pipeline, bare …), so that what else the machine does
falls on both alike. Bare: all requests at once by the engine's own interface. Pipeline: `generate` from its first
request to its last shard, with journal, filters and shards. Every answer has the same length, whatever it says.
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
"""Requests that the engine decodes together."""
WAITING = {"embedded": 0, "vllm": 16}
"""How many more are in flight: llama.cpp's slots are our threads, vLLM keeps a line of its own."""
TOKENS = 64
ENGINE_ARGS: dict[str, dict[str, Any]] = {
    # both sides have the same prompts: what is kept of old ones would make it easier for the second
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
    """A teacher that only notes what it is asked."""

    name: str = "recorder"
    requests: list[Request] = field(default_factory=list)

    async def chat(self, request: Request) -> Reply:
        self.requests.append(request)
        return Reply("", "stop", 0, 0)


def configuration(engine: str, rows: int, seed: int, folder: Path) -> Config:
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
    """What the pipeline will ask, without asking it."""
    plan, recorder = current_plan(config), Recorder()

    async def all_cells() -> None:
        for index in range(config.generation.samples or 0):
            await plan.generator.make(plan.combinations[index], recorder)

    asyncio.run(all_cells())
    return recorder.requests


def bare_embedded(engine: Embedded, requests: list[Request]) -> int:
    def one(request: Request) -> int:
        chunks: list[dict[str, Any]] = []
        plain = {key: value for key, value in chat_body(request).items() if not key.startswith("stream")}
        engine._server.handle_chat_completions(plain, chunks.append)
        return int(chunks[-1]["usage"]["completion_tokens"])

    with ThreadPoolExecutor(SLOTS["embedded"]) as threads:
        return sum(threads.map(one, requests))


def bare_vllm(engine: Vllm, requests: list[Request]) -> int:
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
    begin = time.monotonic()
    return work(), time.monotonic() - begin


def measure(kind: str, rows: int, rounds: int, folder: Path) -> dict[str, Any]:
    module = embedded if kind == "embedded" else vllm
    engine = module.shared_engine(configuration(kind, rows, 0, folder).teacher)
    bare: Callable[[Any, list[Request]], int] = bare_vllm if kind == "vllm" else bare_embedded
    bare(engine, requests_of(configuration(kind, SLOTS[kind], 0, folder)))  # warms up
    spent: dict[str, list[tuple[int, float]]] = {"bare": [], "pipeline": []}
    for turn in range(rounds):
        config = configuration(kind, rows, turn + 1, folder)
        requests = requests_of(config)

        def through_pipeline(config: Config = config) -> int:
            return generate_step(config).cells * TOKENS

        def directly(requests: list[Request] = requests) -> int:
            return bare(engine, requests)

        order = [("bare", directly), ("pipeline", through_pipeline)]
        for side, work in order if turn % 2 == 0 else order[::-1]:
            spent[side].append(timed(work))
            tokens, seconds = spent[side][-1]
            if tokens != rows * TOKENS:
                raise SystemExit(f"{side}: {tokens} tokens instead of {rows * TOKENS}: the sides are not comparable")
            print(f"round {turn + 1} {side:8} {tokens / seconds:8.1f} tokens/s", flush=True)
    speed = {side: sum(n for n, _ in runs) / sum(s for _, s in runs) for side, runs in spent.items()}
    return {"engine": kind, "rows": rows, "rounds": rounds, **speed, "ratio": speed["pipeline"] / speed["bare"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=SLOTS, default="embedded")
    parser.add_argument("--rows", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.chdir(Path(__file__).parent)  # where `one_turn` is found
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options.engine, options.rows, options.rounds, Path(folder))
    close_engines()
    verdict = "met" if found["ratio"] >= TARGET else "MISSED"
    print(
        f"saturation, {found['engine']}: {found['pipeline']:.1f} of {found['bare']:.1f} tokens/s, "
        f"ratio {found['ratio']:.3f} >= {TARGET} {verdict}"
    )
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))
    raise SystemExit(verdict != "met")


if __name__ == "__main__":
    main()
