"""Measure prompt and generation speed of the embedded engine, for one or several GGUF files of the same model.

    python benchmarks/embedded.py [GGUF ...]

Without a file, it measures the embedded model. The prompts share no prefix, so the prefix cache serves no tokens.
"""

import argparse
import asyncio
import random
import time

from skillmill.data.records import Message
from skillmill.teachers.base import Reply, Request, Sampling
from skillmill.teachers.engines.embedded import Embedded

SLOTS = 8
WORDS = "river stone cloud ember lantern copper meadow harbor violet thunder maple".split()


def request(dice: random.Random, words: int, tokens: int) -> Request:
    """Return a request with `words` random words, whose answer has exactly `tokens` tokens (`ignore_eos`)."""
    text = " ".join(dice.choices(WORDS, k=words))
    sampling = Sampling(temperature=0.5, top_p=0.9, max_tokens=tokens, repeat_penalty=1.08, ignore_eos=True)
    messages: list[Message] = [{"role": "user", "content": f"{text}. Write a long story about it."}]
    return Request(messages, sampling, seed=dice.randrange(2**31))


async def timed_replies(engine: Embedded, requests: list[Request]) -> tuple[list[Reply], float]:
    """Send all requests at once; return the replies and the seconds until the last one."""
    start = time.perf_counter()
    replies = await asyncio.gather(*map(engine.chat, requests))
    return replies, time.perf_counter() - start


def measure(model: str | None) -> None:
    """Print the prompt tokens per second, and the generated tokens per second with all slots and with one."""
    dice = random.Random(5)
    engine = Embedded(model, SLOTS, {})
    read, seconds = asyncio.run(timed_replies(engine, [request(dice, 400, 1) for _ in range(SLOTS)]))
    rates = [sum(reply.prompt_tokens - reply.cached_tokens for reply in read) / seconds]
    for at_once in (SLOTS, 1):
        written, seconds = asyncio.run(timed_replies(engine, [request(dice, 2, 120) for _ in range(at_once)]))
        rates.append(sum(reply.completion_tokens for reply in written) / seconds)
    engine.close()
    prompt_rate, together, alone = (round(rate) for rate in rates)
    print(f"{engine.name}: {prompt_rate} tokens/s read, {together} written by {SLOTS} requests at once, {alone} by one")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("models", nargs="*", default=[None])
    for model in arguments.parse_args().models:
        measure(model)


if __name__ == "__main__":
    main()
