"""Rows per second and peak memory of the shirker model on one core, for files of 10^4 to 10^6 realistic rows.

    python benchmarks/filters.py [--rows 10000 100000]

Each size runs in a separate process, so that its peak memory can be measured. Answers have 30 to 300 English words in
sentences, paragraphs and lists; nearly half of the words are among the most frequent ones.
"""

import argparse
import multiprocessing
import os
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from skillmill.filters.shirker.features.word_vectors import word_vectors
from skillmill.filters.shirker.model import load_model
from skillmill.filters.shirker.scoring import score_file

VOCABULARY = sorted(word for word in word_vectors().words if len(word) > 3)[::5]
COMMON = "the of and to a in is that for it as with on by this are be or from your you can".split()
CHUNK = 10_000


def answer(dice: random.Random) -> str:
    """Return a random text of 30 to 300 words."""
    sentences, left = [], dice.randint(30, 300)
    while left > 0:
        size = min(dice.randint(6, 22), left)
        words = [dice.choice(COMMON if dice.random() < 0.45 else VOCABULARY) for _ in range(size)]
        sentences.append(" ".join(words).capitalize() + dice.choice([". ", ". ", ".\n\n", ".\n- "]))
        left -= size
    return "".join(sentences)


def chunks(rows: int) -> Iterator[pa.RecordBatch]:
    """Yield `rows` random rows with the columns `instruction` and `response`."""
    dice = random.Random(0)
    for start in range(0, rows, CHUNK):
        size = min(CHUNK, rows - start)
        instructions = [
            f"How do I {dice.choice(VOCABULARY)} {dice.choice(VOCABULARY)} in row {start + i}?" for i in range(size)
        ]
        yield pa.RecordBatch.from_pydict({"instruction": instructions, "response": [answer(dice) for _ in range(size)]})


def write(path: Path, rows: int) -> None:
    """Write the rows to a Parquet file."""
    batches = chunks(rows)
    first = next(batches)
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_batch(first)
        for batch in batches:
            writer.write_batch(batch)


def measure(path: Path, rows: int) -> None:
    """Score the file and print the speed and the peak memory of this process."""
    model = load_model()
    start, used = time.perf_counter(), time.process_time()
    score_file(path, "instruction", "response", path.with_suffix(".out.parquet"), model, model.threshold)
    wall, cpu = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{rows:>9,} rows  {rows / wall:>7,.0f} rows/s  {rows / cpu:>7,.0f} per CPU second  {peak:>6,.0f} MiB peak")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for rows in arguments.parse_args().rows:
            path = Path(folder) / f"{rows}.parquet"
            write(path, rows)
            process = context.Process(target=measure, args=(path, rows))
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
