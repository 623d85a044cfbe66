"""CPU time of the row filters for a row, and speed and memory of the shirker model for files of 10^4 to 10^6 rows.

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
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from skillmill.data.records import Sample
from skillmill.filters.apply import apply_filters_to, row_filters
from skillmill.filters.config import FiltersConfig
from skillmill.filters.shirker.features.word_vectors import word_vectors
from skillmill.filters.shirker.model import load_model
from skillmill.filters.shirker.scoring import score_file
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Topic

VOCABULARY = sorted(word for word in word_vectors().words if len(word) > 3)[::5]
COMMON = "the of and to a in is that for it as with on by this are be or from your you can".split()
CHUNK = 10_000
SINGLE_ROWS = 2_148
INSTRUCT_SKILL_MIX = "instruct_skill_mix"


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


def single_rows(kind: str) -> None:
    """Print the CPU time per row of all row filters together, for single rows and many at once, and of the dearest."""
    skills = (Skill(name="red herring"), Skill(name="metaphor"))
    theme = Topic(name="chess") if kind == SKILL_MIX else None
    query_type = None if theme else QueryType(name="Advice", min_words=20)
    cell = Cell(kind, 0, skills, theme, query_type, seed=1)
    texts = [row for batch in chunks(SINGLE_ROWS) for row in batch.to_pylist()]
    answers = [row["response"] if theme is None else row["response"].split(". ")[0] + "." for row in texts]
    samples = [Sample(row["instruction"], answer) for row, answer in zip(texts, answers, strict=True)]
    config = FiltersConfig()
    filters = {name: one for name in row_filters() if (one := getattr(config, name)).applies_to(cell)}
    rows = [(sample, cell) for sample in samples]
    apply_filters_to(rows[:100], config)  # loads models and patterns
    for at_once, part in ((1, rows[100:1124]), (512, rows[1124:])):
        used = time.process_time()
        for start in range(0, len(part), at_once):
            apply_filters_to(part[start : start + at_once], config)
        spent = (time.process_time() - used) / len(part)
        print(f"{kind}, {at_once} at once: all row filters {spent * 1e3:.2f} ms of CPU per row")
    times = dict.fromkeys(filters, 0.0)
    for sample in samples[:1000]:
        for name, one in filters.items():
            started = time.process_time()
            one.check(sample, cell)
            times[name] += time.process_time() - started
    dearest = sorted(times.items(), key=itemgetter(1), reverse=True)[:8]
    print("  " + ", ".join(f"{name} {seconds * 1e3:.0f} µs" for name, seconds in dearest))


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    with tempfile.TemporaryDirectory() as folder:
        for kind in (INSTRUCT_SKILL_MIX, SKILL_MIX):
            _in_a_process(single_rows, kind)
        for rows in arguments.parse_args().rows:
            path = Path(folder) / f"{rows}.parquet"
            write(path, rows)
            _in_a_process(measure, path, rows)


def _in_a_process(function: Callable[..., None], *arguments: object) -> None:
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
