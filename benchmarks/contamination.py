"""Rows per second and peak memory of the contamination filter on one core, with an index of 10^6 n-grams.

    python benchmarks/contamination.py [--rows 10000 100000 1000000]

Each size runs in a separate process, so that its peak memory can be measured. Rows have an instruction of one or two
sentences and an answer of 30 to 300 words; one row in a hundred quotes fifteen words of an evaluation set. The time
excludes the creation of the rows.
"""

import argparse
import json
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from skillmill.data.records import Sample
from skillmill.filters.contamination.filter import Contamination
from skillmill.filters.contamination.matching import contamination
from skillmill.filters.contamination.ngram_index import with_index
from skillmill.skill_taxonomy.cells import Cell

ITEMS, ITEM_WORDS = 6_300, 90
"""Each text has 83 n-grams of eight words and 78 of thirteen, together 1.01 million."""
COMMON = "the of and to a in is that for it as with on by this are be or from your you can".split()
RARE = [f"{a}{b}{c}{d}" for a in "mslrtkbdgp" for b in "aeiou" for c in "ndlrstmk" for d in ("ter", "ing", "ed", "ly")]
SENTENCES = 20_000
CHUNK = 10_000
CELL = Cell("instruct_skill_mix", 0, (), None, None, 1)


def words(dice: random.Random, count: int) -> list[str]:
    """Return random words, nearly half of them frequent ones."""
    return [dice.choice(COMMON if dice.random() < 0.45 else RARE) for _ in range(count)]


def write_evaluation_set(path: Path) -> None:
    """Write `ITEMS` random texts as JSON Lines with the key `q`."""
    dice = random.Random(1)
    path.write_text("".join(json.dumps({"q": " ".join(words(dice, ITEM_WORDS))}) + "\n" for _ in range(ITEMS)))


def rows(count: int, quotes: list[str]) -> Iterator[list[Sample]]:
    """Yield `count` samples in chunks; each hundredth quotes one of `quotes`."""
    dice = random.Random(0)
    pool = [words(dice, dice.randint(6, 22)) for _ in range(SENTENCES)]
    sentences = [(" ".join(each).capitalize() + dice.choice([". ", ". ", ".\n\n"]), len(each)) for each in pool]

    def text(size: int) -> str:
        parts = []
        while size > 0:
            sentence, length = dice.choice(sentences)
            parts.append(sentence)
            size -= length
        return "".join(parts)

    for start in range(0, count, CHUNK):
        chunk = []
        for row in range(start, min(start + CHUNK, count)):
            quote = " ".join(dice.choice(quotes).split()[10:25]) if row % 100 == 0 else ""
            chunk.append(Sample(text(dice.randint(8, 40)), text(dice.randint(30, 300)) + quote))
        yield chunk


def measure(options: Contamination, quotes: list[str], count: int) -> None:
    """Filter `count` rows and print the speed and the peak memory of this process."""
    wall = cpu = 0.0
    rejected = 0
    for chunk in rows(count, quotes):
        start, used = time.perf_counter(), time.process_time()
        rejected += sum(bool(contamination(sample, CELL, options).reasons) for sample in chunk)
        wall, cpu = wall + time.perf_counter() - start, cpu + time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count:>9,} rows  {count / wall:>7,.0f} rows/s  {count / cpu:>7,.0f} per CPU second  {peak:>6,.0f} MiB peak  "
        f"{rejected:,} rejected"
    )
    if rejected != -(-count // 100):
        raise SystemExit("not as many rows were rejected as quote a set")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "set.jsonl"
        write_evaluation_set(file)
        start = time.perf_counter()
        options = with_index(Contamination(sets=(f"{file}:q",)), Path(folder))
        assert options.index is not None
        ngrams = options.index.stat().st_size // 16
        print(f"index: {ngrams:,} n-grams of {ITEMS:,} texts in {time.perf_counter() - start:.1f} s, 16 bytes each")
        quotes = [json.loads(line)["q"] for line in file.read_text().splitlines()]
        for count in arguments.parse_args().rows:
            process = context.Process(target=measure, args=(options, quotes, count))
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
