"""Tokens per accepted example and the share of them that a prefix cache serves, by turn.

    python benchmarks/tokens.py [--rows N] [--texts FILE.parquet] [--vllm] [--json OUT]

`skillmill generate` runs against a mock engine. Its answers have the length of real answers and consist of random
English sentences, or of the texts in FILE, which has the columns `instruction` and `response`. Tokens are counted with
the tokenizer of the embedded model. Simulated prefix caches process the requests in the order of their arrival.
docs/benchmarks.md explains the figures. With `--vllm`, vLLM answers instead and reports the tokens that its cache
served. The exit code is 1 if a target is missed.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from mock_engine import Connection, Engine, Settings, listen
from prefix_cache import Event, PrefixCache, Tokens, cached

from skillmill.data.store import sample_store
from skillmill.filters.config import FiltersConfig
from skillmill.skill_taxonomy.sources import builtin

WORDS = {"instruction": 120, "response": 400, "critique": 120, "refine": 450, "draft": 30, "review": 30}
"""Lengths of the mock's answers. The mean response in the released data of Instruct-SkillMix (arXiv 2408.14774) has 307
words."""
JSON = {"instruction", "critique", "draft", "review"}
"""Turns with constrained decoding, which can produce other tokens than the tokenizer would for the same text. A later
prompt that contains the text then does not match the cache."""
IN_FLIGHT = 16
PUBLISHED_INPUT, PUBLISHED_OUTPUT = 18_400, 2_700
"""Our estimate of the tokens per example of Instruct-SkillMix's released five-turn prompts (arXiv 2408.14774)."""
PUBLISHED_OPENING = 11_600
"""Characters of the first of these turns, which is part of all five requests."""
TASK_WORDS = 100
"""The part of the first turn that differs between rows: skills, query type with its definition, and task."""
MAX_INPUT, MIN_CACHED = 6_000, 2 / 3
LRU_TOKENS = 65_536
"""The size of a small cache: keys and values of an 8B model for this many tokens take 8 GiB."""


class Tokenizer:
    """The tokenizer and the chat template of the embedded model."""

    def __init__(self) -> None:
        from transformers import AutoTokenizer  # the import takes seconds

        from skillmill.teachers.embedded_model.weights import embedded_weights

        path = embedded_weights()
        self._tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)

    def prompt(self, messages: list[dict[str, str]]) -> Tokens:
        """Return the tokens of a chat, up to where the answer begins."""
        text = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return self.text(text)

    def text(self, text: str) -> Tokens:
        """Return the tokens of a text."""
        return list(self._tokenizer.encode(text, add_special_tokens=False))


class Author:
    """Writes texts with the lengths of real ones, which depend on the random generator alone."""

    def __init__(self, texts: Path | None = None) -> None:
        self._real_texts = real_texts(texts) if texts else {}
        self._sentences = [
            f"{text.rstrip('.')}."
            for name in ("instruct", "language")
            for skill in builtin(name).skills
            for text in (skill.definition, skill.example)
            if text
        ]

    def write(self, turn: str, dice: random.Random) -> str:
        """Return a text of about `WORDS[turn]` words."""
        real = self._real_texts.get(turn)
        return dice.choice(real) if real else self.sentences(WORDS[turn], dice)

    def sentences(self, words: int, dice: random.Random) -> str:
        """Return random sentences with at least `words` words."""
        chosen: list[str] = []
        while words > 0:
            chosen.append(dice.choice(self._sentences))
            words -= len(chosen[-1].split())
        return " ".join(chosen)


def real_texts(path: Path) -> dict[str, list[str]]:
    """Return the texts of a file of examples whose length is within 20 % of `WORDS[turn]`, by turn."""
    columns = {"instruction": "instruction", "response": "response", "refine": "response"}
    table = pq.read_table(path, columns=["instruction", "response"])
    return {
        turn: [text for text in table[column].to_pylist() if abs(len(text.split()) / WORDS[turn] - 1) < 0.2]
        for turn, column in columns.items()
    }


class RecordingEngine(Engine):
    """A mock engine that answers with an author's texts, counts real tokens and records all events."""

    def __init__(self, settings: Settings, tokenizer: Tokenizer, author: Author) -> None:
        super().__init__(settings)
        self.tokenizer, self.author = tokenizer, author
        self.events: list[Event] = []
        self._pending: dict[bytes, Event] = {}
        self._drafts: list[str] = []

    def submit(self, connection: Connection) -> None:
        """Record and start a request."""
        request = json.loads(connection.body)
        event = Event(self.turn(request), self.tokenizer.prompt(request["messages"]))
        self._pending[connection.body] = event
        self.events.append(event)
        super().submit(connection)

    def turn(self, request: dict[str, Any]) -> str:
        """Return the turn of a request, from the schema of its answer and from earlier answers in its messages."""
        keys = set(request.get("response_format", {}).get("json_schema", {}).get("schema", {}).get("properties", {}))
        text = "\n".join(message["content"] for message in request["messages"])
        has_draft = any(draft in text for draft in self._drafts)
        if "strengths" in keys:
            return "critique"
        if "instruction" in keys:
            return "instruction"
        if "answer" in keys:
            return "review" if has_draft else "draft"
        return "refine" if has_draft else "response"

    def reply(self, body: bytes) -> tuple[bytes, dict[str, Any]]:
        """Record the completion of a request; return its answer and usage."""
        event = self._pending.pop(body)
        dice = random.Random(body)
        text = self.author.write(event.turn, dice)
        match event.turn:
            case "instruction":
                text = json.dumps({"instruction": text})
            case "critique":
                words = WORDS["critique"] // 2
                text = json.dumps({key: self.author.sentences(words, dice) for key in ("strengths", "weaknesses")})
            case "draft" | "review":
                text = json.dumps({"answer": text, "explanation": self.author.sentences(WORDS[event.turn], dice)})
        if event.turn in ("response", "draft"):
            self._drafts.append(text)
        answer = self.tokenizer.text(text)
        self.events.append(Event(event.turn, event.prompt, answer))
        return text.encode(), {"prompt_tokens": len(event.prompt), "completion_tokens": len(answer)}


@contextmanager
def served(engine: Engine) -> Iterator[str]:
    """Serve the engine in a thread of this process within the block; yields its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(listen(engine), loop).result()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def configuration(at: Path, rows: int, teacher: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a configuration with two skills per row, the default taxonomy of the generator and no filters."""
    return {
        "name": "tokens",
        "output_dir": str(at / "out"),
        "taxonomy": "builtin:language" if kind == "skill_mix" else "builtin:instruct",
        "teacher": {"max_in_flight": IN_FLIGHT, **teacher},
        "generation": {"kind": kind, "k": 2, "samples": rows},
        "filters": {name: {"enabled": False} for name in FiltersConfig.model_fields if name != "custom"},
    }


def generate(at: Path, config: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Run `skillmill generate`; return `usage` of its run.json and the number of accepted rows."""
    path = at / "skillmill.yaml"
    path.write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "skillmill.flows.cli", "generate", "-c", str(path)]
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"skillmill generate failed: {process.stderr}")
    usage: dict[str, Any] = json.loads((at / "out" / "run.json").read_text())["usage"]
    store = sample_store(at / "out")
    plans = dict.fromkeys(shard.plan for shard in store.shards)
    verdicts = [row["verdict"] for table in store.tables(plans, ["verdict"]) for row in table.to_pylist()]
    return usage, verdicts.count("accepted")


def pipeline_events(kind: str, rows: int, tokenizer: Tokenizer, author: Author) -> tuple[list[Event], int]:
    """Return the requests and answers of the command, and the number of accepted rows."""
    engine = RecordingEngine(Settings(IN_FLIGHT, 0.05, 0.6, 0, 0.0, (), IN_FLIGHT, 0), tokenizer, author)
    with served(engine) as url, tempfile.TemporaryDirectory(prefix="bench-tokens-") as folder:
        teacher = {"kind": "openai", "model": "mock", "base_url": f"{url}/v1"}
        usage, accepted = generate(Path(folder), configuration(Path(folder), rows, teacher, kind))
    reported = sum(stage["prompt_tokens"] for stage in usage.values())
    assert reported == sum(len(event.prompt) for event in engine.events if event.answer is None), usage
    return engine.events, accepted


def published_events(rows: int, tokenizer: Tokenizer, author: Author) -> list[Event]:
    """Return the requests and answers of Instruct-SkillMix's released code, with texts of the same lengths as ours.

    The structure (arXiv 2408.14774, folder `src/data_generation/prompts` of the code) is a conversation of five turns,
    whose first message ends with the task. As many rows are in flight as in our runs.
    """
    dice = random.Random(0)
    task = author.sentences(TASK_WORDS, dice)
    opening = author.sentences(PUBLISHED_OPENING // 4, dice)[: PUBLISHED_OPENING - len(task)]
    follow_ups = [author.sentences(words, dice) for words in (30, 40, 30, 30)]
    answers = [["instruction", "response"], ["response"], ["critique"], ["instruction", "refine"], ["refine"]]
    events = []
    for start in range(0, rows, IN_FLIGHT):
        conversations = []
        for _ in range(min(IN_FLIGHT, rows - start)):
            first = f"{opening}\n{author.sentences(TASK_WORDS, dice)}"
            conversations.append([{"role": "user", "content": first}])
        for i, parts in enumerate(answers):
            requests = [Event(f"turn {i}", tokenizer.prompt(messages)) for messages in conversations]
            events += requests
            for messages, event in zip(conversations, requests, strict=True):
                text = "\n".join(author.write(part, dice) for part in parts)
                events.append(Event(event.turn, event.prompt, tokenizer.text(text)))
                follow_up = [{"role": "user", "content": follow_ups[i]}] if i < len(follow_ups) else []
                messages += [{"role": "assistant", "content": text}, *follow_up]
    return events


def on_vllm(rows: int, tokenizer: Tokenizer) -> tuple[list[Event], Counter[str]]:
    """Run the pipeline on vLLM in this process; return its events and the cached tokens that it reports, by turn.

    vLLM runs the weights of the embedded model on the CPU, with cache blocks of 32 tokens.
    """
    from skillmill.flows.config import parse_config
    from skillmill.flows.steps.generate import generate_step
    from skillmill.teachers.base import Reply, Request
    from skillmill.teachers.build import close_engines
    from skillmill.teachers.engines.vllm import shared_engine

    events, reported = [], Counter[str]()
    with tempfile.TemporaryDirectory(prefix="bench-tokens-") as folder:
        arguments = {"enforce_eager": True, "max_model_len": 4096, "kv_cache_memory_bytes": 1 << 30, "block_size": 32}
        sampling = {"max_tokens": 512, "temperature": 0.5, "top_p": 0.9, "repetition_penalty": 1.08}
        teacher = {"kind": "vllm", "sampling": sampling, "engine_args": arguments}
        config = parse_config(configuration(Path(folder), rows, teacher, "instruct_skill_mix"))
        engine = shared_engine(config.teacher)
        ask = engine.chat

        async def chat(request: Request, section: str = "teacher") -> Reply:
            arrival = Event(request.stage, tokenizer.prompt(request.messages))
            events.append(arrival)
            reply = await ask(request, section)
            reported[request.stage] += reply.cached_tokens
            events.append(Event(arrival.turn, arrival.prompt, tokenizer.text(reply.text)))
            return reply

        engine.chat = chat
        generate_step(config)
        close_engines()
    return events, reported


def is_reusable(completion: Event) -> bool:
    """Return whether a later prompt with the same text matches the tokens of the answer."""
    return completion.turn not in JSON


CACHES: dict[str, Callable[[list[Event]], Counter[str]]] = {
    "blocks of 16": lambda events: cached(events, PrefixCache(16), is_reusable),
    "blocks of 32": lambda events: cached(events, PrefixCache(32), is_reusable),
    f"blocks of 16, {LRU_TOKENS:,} tokens": lambda events: cached(events, PrefixCache(16, LRU_TOKENS), is_reusable),
    "blocks of 16, JSON reused too": lambda events: cached(events, PrefixCache(16)),
    "blocks of 16, no answer reused": lambda events: cached(events, PrefixCache(16), lambda completion: False),
}
"""The table and the target use the first one."""


def figures(events: list[Event], rows: int) -> dict[str, Any]:
    """Return tokens per row by turn and in total, and the share of the prompt tokens that each cache serves."""
    calls, inputs, outputs = Counter[str](), Counter[str](), Counter[str]()
    for event in events:
        if event.answer is None:
            calls[event.turn] += 1
            inputs[event.turn] += len(event.prompt)
        else:
            outputs[event.turn] += len(event.answer)
    shares = {name: serve(events) for name, serve in CACHES.items()}
    served = next(iter(shares.values()))
    turns = {
        turn: {
            "calls": calls[turn] / rows,
            "input": inputs[turn] / rows,
            "cached": served[turn] / inputs[turn],
            "output": outputs[turn] / rows,
        }
        for turn in calls
    }
    total = {
        "calls": calls.total() / rows,
        "input": inputs.total() / rows,
        "cached": served.total() / inputs.total(),
        "output": outputs.total() / rows,
    }
    return {
        "rows": rows,
        "turns": turns,
        **total,
        "caches": {name: share.total() / inputs.total() for name, share in shares.items()},
    }


def show(name: str, result: dict[str, Any]) -> None:
    """Print a table by turn. The column `computed` has the input tokens that no cache served."""
    print(f"\n{name}: tokens an accepted row, {result['rows']} rows")
    print(f"{'turn':16} {'calls':>6} {'input':>8} {'cached':>7} {'computed':>9} {'output':>8}")
    for turn, row in [*result["turns"].items(), ("total", result)]:
        input_and_share = f"{row['input']:8.0f} {row['cached']:7.1%} {row['input'] * (1 - row['cached']):9.0f}"
        print(f"{turn:16} {row['calls']:6.2f} {input_and_share} {row['output']:8.0f}")
    for cache, share in result["caches"].items():
        print(f"  cached, {cache:30} {share:6.1%}")


def run_mock(options: argparse.Namespace, tokenizer: Tokenizer) -> dict[str, Any]:
    """Run both generators against the mock engine; print and return the figures, also of the published structure."""
    author = Author(options.texts)
    results = {
        "Instruct-SkillMix": figures(*pipeline_events("instruct_skill_mix", options.rows, tokenizer, author)),
        "Skill-Mix": figures(*pipeline_events("skill_mix", options.rows, tokenizer, author)),
        "the published structure": figures(published_events(options.rows, tokenizer, author), options.rows),
    }
    for name, result in results.items():
        show(name, result)
    return results


def run_vllm(rows: int, tokenizer: Tokenizer) -> None:
    """Print the figures of Instruct-SkillMix on vLLM, and compare the simulated cache with vLLM's own."""
    events, reported = on_vllm(rows, tokenizer)
    show("Instruct-SkillMix on vLLM", figures(events, rows))
    expected = cached(events, PrefixCache(32), is_reusable)
    for turn in reported:
        tokens = sum(len(event.prompt) for event in events if event.turn == turn and event.answer is None)
        print(f"  {turn:14} cached: vLLM {reported[turn] / tokens:6.1%}, simulation {expected[turn] / tokens:6.1%}")


def check(ours: dict[str, Any], published: dict[str, Any]) -> bool:
    """Print the targets and the ratios to the published structure; return whether the targets are met."""
    targets = [
        ("input tokens", ours["input"] <= MAX_INPUT, ours["input"], f"<= {MAX_INPUT:,}"),
        ("share from a prefix cache", ours["cached"] >= MIN_CACHED, ours["cached"], ">= 2/3"),
        ("output tokens", ours["output"] <= PUBLISHED_OUTPUT, ours["output"], f"<= {PUBLISHED_OUTPUT:,}"),
    ]
    print("\nInstruct-SkillMix")
    for name, met, value, target in targets:
        print(f"  {name:28} {value:10.2f}  {target} {'met' if met else 'MISSED'}")
    for key, estimate in (("input", PUBLISHED_INPUT), ("output", PUBLISHED_OUTPUT)):
        here = f"over its structure here {ours[key] / published[key]:.2f}"
        print(f"  {key + ' over the published estimate':36} {ours[key] / estimate:.2f}, {here}")
    computed = [each["input"] * (1 - each["cached"]) for each in (ours, published)]
    print(f"  {'input that no cache served':36}       over its structure here {computed[0] / computed[1]:.2f}")
    return all(met for _, met, _, _ in targets)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=200)
    arguments.add_argument("--texts", type=Path, help="a Parquet file with `instruction` and `response`")
    arguments.add_argument("--vllm", action="store_true", help="ask vLLM instead of the mock engine")
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    tokenizer = Tokenizer()
    if options.vllm:
        run_vllm(options.rows, tokenizer)
        return
    results = run_mock(options, tokenizer)
    met = check(results["Instruct-SkillMix"], results["the published structure"])
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1))
    sys.exit(not met)


if __name__ == "__main__":
    main()
