"""Tokens an accepted example costs, and how many of them a prefix cache serves: the real command, counted by turn.

    python benchmarks/tokens.py [--rows N] [--texts FILE.parquet] [--vllm] [--json OUT]

`skillmill generate` asks a mock engine that answers at the length of real answers, in English sentences of no meaning
(or those of FILE, which has the columns `instruction` and `response`), and counts with a real tokenizer: that of the
embedded model. Prefix caches read the requests in the order in which they came. docs/benchmarks.md says what the
figures mean. With `--vllm` a real engine answers too, and says itself what it took from its cache.
Exit 1 where a target is missed.
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
"""How long the mock's answers are; the response and the refinement are longer than those of papers.md 3.6 (307)."""
JSON = {"instruction", "critique", "draft", "review"}
"""Constrained decoding may write other tokens than a tokenizer would choose: then no later prompt finds them."""
IN_FLIGHT = 16
PUBLISHED_INPUT, PUBLISHED_OUTPUT = 18_400, 2_700
"""Tokens an example, five turns (papers.md 3.11)."""
PUBLISHED_OPENING = 11_600
"""Characters of the first turn, which all five send (papers.md 3.4)."""
TASK_WORDS = 100
"""Of them, the skills, the query type with its definition and what is asked for, which differ from row to row."""
MAX_INPUT, MIN_CACHED = 6_000, 2 / 3
LRU_TOKENS = 65_536
"""A small cache: the keys and values of an 8B model for so many tokens take 8 GiB."""


class Tokenizer:
    """The embedded model's, with its chat template."""

    def __init__(self) -> None:
        from transformers import AutoTokenizer  # takes seconds

        from skillmill.teachers.embedded_model.weights import embedded_weights

        path = embedded_weights()
        self._real = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)

    def prompt(self, messages: list[dict[str, str]]) -> Tokens:
        text = self._real.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return self.text(text)

    def text(self, text: str) -> Tokens:
        return list(self._real.encode(text, add_special_tokens=False))


class Author:
    """Texts by turn, at the length of real ones, decided by the dice alone."""

    def __init__(self, texts: Path | None = None) -> None:
        self._real = real_texts(texts) if texts else {}
        self._sentences = [
            f"{text.rstrip('.')}."
            for name in ("instruct", "language")
            for skill in builtin(name).skills
            for text in (skill.definition, skill.example)
            if text
        ]

    def write(self, turn: str, dice: random.Random) -> str:
        """A text of about `WORDS[turn]` words."""
        real = self._real.get(turn)
        return dice.choice(real) if real else self.sentences(WORDS[turn], dice)

    def sentences(self, words: int, dice: random.Random) -> str:
        said: list[str] = []
        while words > 0:
            said.append(dice.choice(self._sentences))
            words -= len(said[-1].split())
        return " ".join(said)


def real_texts(path: Path) -> dict[str, list[str]]:
    """Texts of the turns' lengths, a fifth more or less, out of a file of examples."""
    columns = {"instruction": "instruction", "response": "response", "refine": "response"}
    table = pq.read_table(path, columns=["instruction", "response"])
    return {
        turn: [text for text in table[column].to_pylist() if abs(len(text.split()) / WORDS[turn] - 1) < 0.2]
        for turn, column in columns.items()
    }


class Counting(Engine):
    """A mock engine that writes like a teacher, counts as an engine does, and notes what came and went."""

    def __init__(self, settings: Settings, tokenizer: Tokenizer, author: Author) -> None:
        super().__init__(settings)
        self.tokenizer, self.author = tokenizer, author
        self.events: list[Event] = []
        self._asked: dict[bytes, Event] = {}
        self._drafts: list[str] = []

    def submit(self, connection: Connection) -> None:
        request = json.loads(connection.body)
        event = Event(self.turn(request), self.tokenizer.prompt(request["messages"]))
        self._asked[connection.body] = event
        self.events.append(event)
        super().submit(connection)

    def turn(self, request: dict[str, Any]) -> str:
        """Which turn a request is, by what it asks for, whatever its conversation looks like."""
        keys = set(request.get("response_format", {}).get("json_schema", {}).get("schema", {}).get("properties", {}))
        said = "\n".join(message["content"] for message in request["messages"])
        later = any(draft in said for draft in self._drafts)
        if "strengths" in keys:
            return "critique"
        if "instruction" in keys:
            return "instruction"
        if "answer" in keys:
            return "review" if later else "draft"
        return "refine" if later else "response"

    def reply(self, body: bytes) -> tuple[bytes, dict[str, Any]]:
        event = self._asked.pop(body)
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
    """The engine in a thread of this process; its address."""
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
    """Two skills a row, each generator's own taxonomy, filters off."""
    return {
        "name": "tokens",
        "output_dir": str(at / "out"),
        "taxonomy": "builtin:language" if kind == "skill_mix" else "builtin:instruct",
        "teacher": {"max_in_flight": IN_FLIGHT, **teacher},
        "generation": {"kind": kind, "k": 2, "samples": rows},
        "filters": {name: {"enabled": False} for name in FiltersConfig.model_fields if name != "custom"},
    }


def generate(at: Path, config: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """`skillmill generate`: `usage` of its run.json, and how many rows it accepted."""
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


def ours(kind: str, rows: int, tokenizer: Tokenizer, author: Author) -> tuple[list[Event], int]:
    """What the real command asks, and how many rows it accepts."""
    engine = Counting(Settings(IN_FLIGHT, 0.05, 0.6, 0, 0.0, (), IN_FLIGHT, 0), tokenizer, author)
    with served(engine) as url, tempfile.TemporaryDirectory(prefix="bench-tokens-") as folder:
        teacher = {"kind": "openai", "model": "mock", "base_url": f"{url}/v1"}
        usage, accepted = generate(Path(folder), configuration(Path(folder), rows, teacher, kind))
    told = sum(stage["prompt_tokens"] for stage in usage.values())
    assert told == sum(len(event.prompt) for event in engine.events if event.answer is None), usage
    return engine.events, accepted


def published(rows: int, tokenizer: Tokenizer, author: Author) -> list[Event]:
    """The requests of the published structure (papers.md 3.4) with texts of the same lengths: five turns of one
    growing conversation, whose first ends in the task, the same rows in flight.
    """
    dice = random.Random(0)
    task = author.sentences(TASK_WORDS, dice)
    opening = author.sentences(PUBLISHED_OPENING // 4, dice)[: PUBLISHED_OPENING - len(task)]
    told = [author.sentences(words, dice) for words in (30, 40, 30, 30)]
    written = [["instruction", "response"], ["response"], ["critique"], ["instruction", "refine"], ["refine"]]
    events = []
    for start in range(0, rows, IN_FLIGHT):
        conversations = []
        for _ in range(min(IN_FLIGHT, rows - start)):
            first = f"{opening}\n{author.sentences(TASK_WORDS, dice)}"
            conversations.append([{"role": "user", "content": first}])
        for i, parts in enumerate(written):
            asked = [Event(f"turn {i}", tokenizer.prompt(said)) for said in conversations]
            events += asked
            for said, event in zip(conversations, asked, strict=True):
                text = "\n".join(author.write(part, dice) for part in parts)
                events.append(Event(event.turn, event.prompt, tokenizer.text(text)))
                follow_up = [{"role": "user", "content": told[i]}] if i < len(told) else []
                said += [{"role": "assistant", "content": text}, *follow_up]
    return events


def on_vllm(rows: int, tokenizer: Tokenizer) -> tuple[list[Event], Counter[str]]:
    """What vLLM is asked and answers in this process, and the tokens of each turn that it says came from its cache.

    The embedded model's weights, on a CPU in blocks of 32 tokens: it writes badly, but at length.
    """
    from skillmill.flows.config import parse_config
    from skillmill.flows.steps.generate import generate_step
    from skillmill.teachers.base import Reply, Request
    from skillmill.teachers.build import close_engines
    from skillmill.teachers.engines.vllm import shared_engine

    events, told = [], Counter[str]()
    with tempfile.TemporaryDirectory(prefix="bench-tokens-") as folder:
        arguments = {"enforce_eager": True, "max_model_len": 4096, "kv_cache_memory_bytes": 1 << 30, "block_size": 32}
        sampling = {"max_tokens": 512, "temperature": 0.5, "top_p": 0.9, "repetition_penalty": 1.08}
        teacher = {"kind": "vllm", "sampling": sampling, "engine_args": arguments}
        config = parse_config(configuration(Path(folder), rows, teacher, "instruct_skill_mix"))
        engine = shared_engine(config.teacher)
        ask = engine.chat

        async def chat(request: Request, section: str = "teacher") -> Reply:
            asked = Event(request.stage, tokenizer.prompt(request.messages))
            events.append(asked)
            reply = await ask(request, section)
            told[request.stage] += reply.cached_tokens
            events.append(Event(asked.turn, asked.prompt, tokenizer.text(reply.text)))
            return reply

        engine.chat = chat
        generate_step(config)
        close_engines()
    return events, told


def found_again(answered: Event) -> bool:
    return answered.turn not in JSON


CACHES: dict[str, Callable[[list[Event]], Counter[str]]] = {
    "blocks of 16": lambda events: cached(events, PrefixCache(16), found_again),
    "blocks of 32": lambda events: cached(events, PrefixCache(32), found_again),
    f"blocks of 16, {LRU_TOKENS:,} tokens": lambda events: cached(events, PrefixCache(16, LRU_TOKENS), found_again),
    "blocks of 16, JSON found again too": lambda events: cached(events, PrefixCache(16)),
    "blocks of 16, no answer found again": lambda events: cached(events, PrefixCache(16), lambda answered: False),
}
"""The first is what the table shows and the target is about."""


def figures(events: list[Event], rows: int) -> dict[str, Any]:
    """Tokens a row by turn and together, and the share of the prompts that each cache serves."""
    calls, asked, written = Counter[str](), Counter[str](), Counter[str]()
    for event in events:
        if event.answer is None:
            calls[event.turn] += 1
            asked[event.turn] += len(event.prompt)
        else:
            written[event.turn] += len(event.answer)
    shares = {name: serve(events) for name, serve in CACHES.items()}
    served = next(iter(shares.values()))
    turns = {
        turn: {
            "calls": calls[turn] / rows,
            "input": asked[turn] / rows,
            "cached": served[turn] / asked[turn],
            "output": written[turn] / rows,
        }
        for turn in calls
    }
    together = {
        "calls": calls.total() / rows,
        "input": asked.total() / rows,
        "cached": served.total() / asked.total(),
        "output": written.total() / rows,
    }
    return {
        "rows": rows,
        "turns": turns,
        **together,
        "caches": {name: share.total() / asked.total() for name, share in shares.items()},
    }


def show(name: str, found: dict[str, Any]) -> None:
    """A table by turn; `computed` are the input tokens that no cache served."""
    print(f"\n{name}: tokens an accepted row, {found['rows']} rows")
    print(f"{'turn':16} {'calls':>6} {'input':>8} {'cached':>7} {'computed':>9} {'output':>8}")
    for turn, of in [*found["turns"].items(), ("together", found)]:
        input_and_share = f"{of['input']:8.0f} {of['cached']:7.1%} {of['input'] * (1 - of['cached']):9.0f}"
        print(f"{turn:16} {of['calls']:6.2f} {input_and_share} {of['output']:8.0f}")
    for cache, share in found["caches"].items():
        print(f"  cached, {cache:30} {share:6.1%}")


def against_the_mock(options: argparse.Namespace, tokenizer: Tokenizer) -> dict[str, Any]:
    author = Author(options.texts)
    found = {
        "Instruct-SkillMix": figures(*ours("instruct_skill_mix", options.rows, tokenizer, author)),
        "Skill-Mix": figures(*ours("skill_mix", options.rows, tokenizer, author)),
        "the published structure": figures(published(options.rows, tokenizer, author), options.rows),
    }
    for name, each in found.items():
        show(name, each)
    return found


def against_vllm(rows: int, tokenizer: Tokenizer) -> dict[str, Any]:
    events, told = on_vllm(rows, tokenizer)
    found = figures(events, rows)
    show("Instruct-SkillMix on vLLM", found)
    expected = cached(events, PrefixCache(32), found_again)
    for turn in told:
        asked = sum(len(event.prompt) for event in events if event.turn == turn and event.answer is None)
        print(f"  {turn:14} cached, as vLLM says {told[turn] / asked:6.1%}, as reckoned {expected[turn] / asked:6.1%}")
    return found


def check(mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Prints the targets and the ratios; whether the targets are met."""
    targets = [
        ("input tokens", mine["input"] <= MAX_INPUT, mine["input"], f"<= {MAX_INPUT:,}"),
        ("share from a prefix cache", mine["cached"] >= MIN_CACHED, mine["cached"], ">= 2/3"),
        ("output tokens", mine["output"] <= PUBLISHED_OUTPUT, mine["output"], f"<= {PUBLISHED_OUTPUT:,}"),
    ]
    print("\nInstruct-SkillMix")
    for name, met, value, target in targets:
        print(f"  {name:28} {value:10.2f}  {target} {'met' if met else 'MISSED'}")
    for key, estimate in (("input", PUBLISHED_INPUT), ("output", PUBLISHED_OUTPUT)):
        here = f"over its structure here {mine[key] / theirs[key]:.2f}"
        print(f"  {key + ' over the published estimate':36} {mine[key] / estimate:.2f}, {here}")
    computed = [each["input"] * (1 - each["cached"]) for each in (mine, theirs)]
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
        against_vllm(options.rows, tokenizer)
        return
    found = against_the_mock(options, tokenizer)
    met = check(found["Instruct-SkillMix"], found["the published structure"])
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(found, indent=1))
    sys.exit(not met)


if __name__ == "__main__":
    main()
