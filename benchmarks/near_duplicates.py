"""Near-duplicate search on one core: rows per second, peak memory, duplicates found, and the time to resume a run.

    python benchmarks/near_duplicates.py [--rows 10000 100000 1000000] [--datatrove PYTHON]

Rows have an instruction of 8 to 60 words and an answer of 30 to 300 words, drawn from 20,000 words by Zipf's law. 2 %
of the answers are copies of earlier ones. Another 3 % are copies in which each word is replaced with a probability of
1/30: kind `near` if the Jaccard similarity of the 3-grams is still at least 0.7, else `less near`. Each size runs in a
separate process, so that its peak memory can be measured. The time includes reading the Parquet file, but no imports.

`--datatrove` names a Python that has datatrove and spaCy (`.venv-datatrove` of `make bench-filters`). Its four MinHash
stages run on the answers of the same files with the same shingles, bands and hashes, and are compared with our search
on answers only.
"""

import argparse
import itertools
import multiprocessing
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skillmill.filters.dedup.near_duplicates import Corpus
from skillmill.filters.dedup.options import NearDuplicates
from skillmill.filters.dedup.signatures import RowTexts

PLAN = "0" * 32
CHUNK = 2_000
BATCH = 1_000
KINDS = ["", "equal", "near", "less near"]
COMMON = "the of and to a in is that for it as with on by this are be or from your you can at not have if will".split()
SYLLABLES = [a + b for a in "b d f g k l m n p r s t v z".split() for b in ("a", "e", "i", "o", "u", "an", "er", "in")]
WORDS = np.array([*COMMON, *itertools.islice(map("".join, itertools.product(SYLLABLES, repeat=3)), 20_000)])
SHARES = np.cumsum(1 / (np.arange(len(WORDS)) + 2.7))


def texts(dice: np.random.Generator, count: int, least: int, most: int) -> list[str]:
    """Return random texts of `least` to `most` words."""
    lengths = dice.integers(least, most + 1, count)
    drawn = WORDS[np.searchsorted(SHARES, dice.random(lengths.sum()) * SHARES[-1])]
    ends = np.cumsum(lengths)
    return [" ".join(drawn[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


def reworded(dice: np.random.Generator, text: str) -> str:
    """Return the text with about one in thirty words replaced by a random word."""
    words = np.array(text.split())
    changed = dice.random(len(words)) < 1 / 30
    words[changed] = dice.choice(WORDS, changed.sum())
    return " ".join(words)


def jaccard(one: str, other: str) -> float:
    """Return the Jaccard similarity of the 3-grams of two texts."""
    ngrams = [set(zip(words, words[1:], words[2:], strict=False)) for words in (one.split(), other.split())]
    return len(ngrams[0] & ngrams[1]) / len(ngrams[0] | ngrams[1])


def chunks(rows: int) -> Iterator[pa.RecordBatch]:
    """Yield random rows; the column `planted` has the kind of copy, "" for an original."""
    dice, earlier = np.random.default_rng(0), [""]
    for start in range(0, rows, CHUNK):
        size = min(CHUNK, rows - start)
        instructions, responses = texts(dice, size, 8, 60), texts(dice, size, 30, 300)
        planted = dice.choice(KINDS, size, p=[0.95, 0.02, 0.03, 0]) if start else np.full(size, "")
        for place in np.flatnonzero(planted != "").tolist():
            source = earlier[int(dice.integers(len(earlier)))]
            responses[place] = source if planted[place] == "equal" else reworded(dice, source)
            if planted[place] == "near" and jaccard(responses[place], source) < 0.7:
                planted[place] = "less near"
        earlier = [*earlier[-20_000:], *(r for r, plant in zip(responses, planted, strict=True) if not plant)]
        earlier = [text for text in earlier if text]
        columns = {"id": [str(start + i) for i in range(size)], "instruction": instructions, "response": responses}
        yield pa.RecordBatch.from_pydict({**columns, "planted": planted.tolist()})


def write(path: Path, rows: int) -> None:
    """Write the rows to a Parquet file."""
    batches = chunks(rows)
    first = next(batches)
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_batch(first)
        for batch in batches:
            writer.write_batch(batch)


def batches_of(path: Path, size: int, instruction: bool) -> Iterator[tuple[list[RowTexts], list[str]]]:
    """Yield the texts of at most `size` rows of the file, and the kinds of copies among them."""
    number = 0
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=BATCH):
            rows = batch.to_pylist()
            row_texts = [
                RowTexts(number + i, number + i, row["instruction"] if instruction else "", row["response"])
                for i, row in enumerate(rows)
            ]
            number += len(rows)
            for start in range(0, len(rows), size):
                part = slice(start, start + size)
                yield row_texts[part], [row["planted"] for row in rows[part]]


def measure(
    path: Path, rows: int, size: int, instruction: bool, results: "multiprocessing.Queue[tuple[float, float]]"
) -> None:
    """Search the file `size` rows at a time, print the figures and put rows per second and peak MiB into `results`."""
    work = path.with_suffix(".signatures")
    work.unlink(missing_ok=True)
    options = NearDuplicates(instruction=instruction)
    start, used = time.perf_counter(), time.process_time()
    corpus, kept = Corpus(work, options, PLAN), []
    planted = dict.fromkeys(KINDS, 0)
    found = dict(planted)
    for batch, plants in batches_of(path, size, instruction):
        for text, plant, match in zip(batch, plants, corpus.decide(batch), strict=True):
            planted[plant] += 1
            found[plant] += match is not None
            if match is None:
                kept.append(text.row)
    wall, cpu = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    corpus.close()
    start = time.perf_counter()
    again = Corpus(work, options, PLAN)
    again.keep(kept)
    resumed = time.perf_counter() - start
    assert again.computed == 0
    shares = ", ".join(f"{found[kind] / count:.1%} of {kind or 'other'}" for kind, count in planted.items() if count)
    compared = "both texts" if instruction else "answers"
    print(
        f"{rows:>9,} rows, {compared}, {size:>5,} at a time: {rows / wall:>6,.0f} rows/s ({rows / cpu:,.0f} per CPU "
        f"second), {peak:,.0f} MiB peak, {work.stat().st_size / 2**20:,.0f} MiB on disk, "
        f"resumed in {resumed:.1f} s; rejected {shares}"
    )
    results.put((rows / wall, peak))


def in_a_process(*arguments: object) -> tuple[float, float]:
    """Call `measure` in a new process; return rows per second and peak MiB."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[tuple[float, float]] = context.Queue()
    process = context.Process(target=measure, args=(*arguments, results))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)
    return results.get()


def datatrove(python: str, path: Path, rows: int) -> float:
    """Return the rows per second of datatrove's MinHash on the answers of the file."""
    script = Path(__file__).with_name("datatrove_minhash.py")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([python, script, path, folder], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"datatrove failed: {done.stderr[-2000:]}")
    seconds, kept, peak = map(float, done.stdout.split()[-3:])
    print(f"{rows:>9,} rows, answers, datatrove: {rows / seconds:,.0f} rows/s, {peak:,.0f} MiB peak, keeps {kept:,.0f}")
    return rows / seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--datatrove", metavar="PYTHON", help="a Python with datatrove and spaCy")
    parser.add_argument(
        "--datatrove-rows", type=int, default=10_000, help="the largest number of rows on which datatrove runs"
    )
    arguments = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[name] = "1"
    peaks: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for rows in arguments.rows:
            path = Path(folder) / f"{rows}.parquet"
            write(path, rows)
            _, peaks[rows] = in_a_process(path, rows, BATCH, True)
            if rows <= 10_000:
                in_a_process(path, rows, 1, True)
            if arguments.datatrove and rows <= arguments.datatrove_rows:
                ours, _ = in_a_process(path, rows, BATCH, False)
                times = ours / datatrove(arguments.datatrove, path, rows)
                print(f"{rows:>9,} rows, answers: {times:.1f} times datatrove's rows/s")
            path.unlink()
    if len(peaks) > 1:
        least, most = min(peaks), max(peaks)
        a_row = 1024 * (peaks[most] - peaks[least]) / (most - least)
        print(f"memory from {least:,} to {most:,} rows: {a_row:.2f} KiB a row")


if __name__ == "__main__":
    main()
