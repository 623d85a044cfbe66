"""How fast the embedded engine reads prompts and writes answers, for one or several GGUF files of the same model.

    python benchmarks/embedded.py [GGUF ...]

Without a file it is the embedded model as it is used. Prompts share nothing, so no cache helps.
"""

import argparse
import asyncio
import random
import time

from skillmill.teachers.base import Reply, Request, Sampling
from skillmill.teachers.engines.embedded import Embedded

SLOTS = 8
WORDS = "river stone cloud ember lantern copper meadow harbor violet thunder maple".split()


def request(dice: random.Random, words: int, tokens: int) -> Request:
    """A prompt of so many random words; with the end of the text forbidden, an answer of exactly so many tokens."""
    text = " ".join(dice.choices(WORDS, k=words))
    sampling = Sampling(temperature=0.5, top_p=0.9, max_tokens=tokens, repeat_penalty=1.08, ignore_eos=True)
    messages = [{"role": "user", "content": f"{text}. Write a long story about it."}]
    return Request(messages, sampling, seed=dice.randrange(2**31))


async def ask(engine: Embedded, requests: list[Request]) -> tuple[list[Reply], float]:
    begun = time.perf_counter()
    replies = await asyncio.gather(*map(engine.chat, requests))
    return replies, time.perf_counter() - begun


def measure(model: str | None) -> None:
    dice = random.Random(5)
    engine = Embedded(model, SLOTS, {})
    read, seconds = asyncio.run(ask(engine, [request(dice, 400, 1) for _ in range(SLOTS)]))
    rates = [sum(reply.prompt_tokens - reply.cached_tokens for reply in read) / seconds]
    for at_once in (SLOTS, 1):
        written, seconds = asyncio.run(ask(engine, [request(dice, 2, 120) for _ in range(at_once)]))
        rates.append(sum(reply.completion_tokens for reply in written) / seconds)
    engine.close()
    read_rate, written, alone = (round(rate) for rate in rates)
    print(f"{engine.name}: {read_rate} tokens/s read, {written} written by {SLOTS} requests at once, {alone} by one")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("models", nargs="*", default=[None])
    for model in arguments.parse_args().models:
        measure(model)


if __name__ == "__main__":
    main()
