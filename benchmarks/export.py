"""Speed and peak memory of export and report, and how much of an export a refresh changes.

    python benchmarks/export.py [--rows 10000 100000] [--no-refresh]

The stored rows have answers of 100 to 300 English words, a draft, a critique, signals, a grade, one grading and one
pair. Each size runs in a process of its own, so that its peak memory can be measured. The refresh adds 1,000 rows to
10,000. The exit code is 1 if a target is missed.
"""

import argparse
import hashlib
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from skillmill.data.export.card.facts import CardFacts, ModelFacts, TaxonomyFacts
from skillmill.data.export.dataset_folder import write_dataset_folder
from skillmill.data.records import Grade, GradingRow, PairRow, Sample, SampleRow, pair_id, row_id, sample_row
from skillmill.data.store import grade_store, pair_store, sample_store
from skillmill.data.versions import PlanRange, Version, adopt_exported
from skillmill.filters.rows.safety import Safety, masker
from skillmill.filters.shirker.features.word_vectors import word_vectors
from skillmill.flows.report.survey import survey

PLAN, PAIRS = "b" * 64, "c" * 64
SHARD_ROWS = 1000
SKILLS = [f"skill {number}" for number in range(144)]
SIGNALS = [f"signal_{number}" for number in range(15)]
MASK = masker(Safety())
MOST_MEMORY, MOST_UPLOADED = 400, 1.3
GEAR = np.random.default_rng(0).integers(0, 1 << 16, 256, np.uint16)


@cache
def sentences() -> list[str]:
    """Return 20,000 random sentences of 6 to 22 words."""
    dice = random.Random(0)
    vocabulary = sorted(word for word in word_vectors().words if len(word) > 2)[::5]
    return [" ".join(dice.choices(vocabulary, k=dice.randint(6, 22))).capitalize() + "." for _ in range(20_000)]


def text(dice: random.Random, words: int) -> str:
    """Return a random text of about so many words."""
    return " ".join(dice.choices(sentences(), k=max(words // 14, 1)))


def row_of(index: int, dice: random.Random) -> SampleRow:
    """Return a row; one in eight is rejected."""
    skills = dice.sample(SKILLS, 2)
    grade: Grade = {
        "skills": [{"skill": skill, "point": 1.0, "evidence": text(dice, 14)} for skill in skills],
        "on_topic": 1.0,
        "makes_sense": 1.0,
        "within_limit": 1.0,
        "total": 5.0,
    }
    sample = Sample(
        text(dice, 40),
        text(dice, dice.randint(100, 300)),
        draft=text(dice, 150),
        critique=text(dice, 60),
        reasons=("too_short",) if dice.random() < 1 / 8 else (),
        signals={name: dice.random() for name in SIGNALS},
        grade=grade,
        grader="grader",
        prompt_tokens=900,
        completion_tokens=700,
    )
    columns: dict[str, Any] = dict.fromkeys(("topic", "difficulty", "length", "language", "parent", "operator"))
    columns |= {
        "plan": PLAN,
        "index": index,
        "cell": hashlib.sha256(f"{index}".encode()).hexdigest()[:16],
        "kind": "instruct_skill_mix",
        "k": 2,
        "skills": skills,
        "query_type": f"query type {dice.randrange(20)}",
        "teacher": "teacher",
        "prompts": "d" * 16,
        "seed": index,
        "split": "train",
    }
    return sample_row(sample, **columns)


def store_rows(root: Path, start: int, stop: int) -> None:
    """Store the rows with the indices [start, stop), their gradings and their pairs."""
    stores = samples, pairs, grades = sample_store(root), pair_store(root), grade_store(root)
    for store in stores:
        store.recover()
    for first in range(start, stop, SHARD_ROWS):
        dice = random.Random(first)
        rows = [row_of(index, dice) for index in range(first, min(first + SHARD_ROWS, stop))]
        gradings: list[GradingRow] = [
            {"id": row["id"], "run": 0, "grader": "grader", "grade": row["grade"], "raw": text(dice, 60)}
            for row in rows
        ]
        of_rows = [pair_of(row, dice) for row in rows if row["verdict"] == "accepted"]
        for store, content in ((grades, gradings), (pairs, of_rows), (samples, rows)):
            plan = PAIRS if store is pairs else PLAN
            store.commit(plan, first, first + len(rows), content, len(rows), len(rows))


def pair_of(row: SampleRow, dice: random.Random) -> PairRow:
    """Return the pair of an accepted row."""
    return {
        "id": pair_id(row_id(PLAN, row["index"], 0), "brevity"),
        "prompt": row["prompt"],
        "chosen": row["completion"],
        "rejected": [{"role": "assistant", "content": text(dice, 30)}],
        "chosen_source": "accepted",
        "rejected_source": "brevity",
        "margin": dice.random(),
        "row": row["id"],
        "chosen_words": dice.randint(100, 300),
        "rejected_words": 30,
        "reason": None,
    }


def export(root: Path) -> None:
    """Export all stored rows as the next version."""
    versions, samples = adopt_exported(root), sample_store(root)
    plans = {PLAN: PlanRange.of(samples.of_plan(PLAN), PAIRS)}
    draft = Version.draft(versions.next_name, plan=PLAN, plans=plans, taxonomy="e" * 64, teacher="teacher")
    facts = CardFacts(
        name="benchmark",
        kind="instruct_skill_mix",
        k={2: 1.0},
        seed=0,
        teacher=ModelFacts("teacher"),
        taxonomy=TaxonomyFacts("benchmark", "", {"skills": SKILLS}, (), tuple(f"query type {n}" for n in range(20))),
        plans=(PLAN,),
    )
    stores = samples, pair_store(root), grade_store(root)
    write_dataset_folder(*stores, root / "export", facts, versions, draft, MASK)
    adopt_exported(root)


def measured(step: Callable[[Path], object], root: Path, results: Any) -> None:
    """Run a step and report its seconds, its CPU seconds and the peak memory of this process in MiB."""
    start, used = time.perf_counter(), time.process_time()
    step(root)
    wall, cpu = time.perf_counter() - start, time.process_time() - used
    results.put((wall, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def survey_rows(root: Path) -> None:
    """Make the survey of the report."""
    survey(sample_store(root), PLAN)


def in_process(target: Callable[..., None], *arguments: Any) -> None:
    """Run a function in a new process. This process stays small, which a child's peak memory begins with."""
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)


def speeds(root: Path, rows: int) -> bool:
    """Print speed and memory of both steps; return whether the memory meets its target."""
    in_process(store_rows, root, 0, rows)
    met = True
    for name, step in (("export", export), ("report", survey_rows)):
        results = multiprocessing.get_context("spawn").Queue()
        in_process(measured, step, root, results)
        wall, cpu, peak = results.get()
        met = met and peak <= MOST_MEMORY
        speed = f"{rows / wall:>7,.0f} rows/s  {rows / cpu:>7,.0f} per CPU second"
        print(f"{name}  {rows:>9,} rows  {speed}  {peak:>6,.0f} MiB peak", flush=True)
    return met


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of each file of an export by its name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def chunks(data: bytes) -> dict[bytes, int]:
    """Return hash and size of the content-defined chunks of a file: 64 KiB on average, cut by a gear hash."""
    values = GEAR[np.frombuffer(data, np.uint8)]
    hashes = np.zeros(len(data), np.uint16)
    for place in range(16):  # the low 16 bits of a gear hash depend on the last 16 bytes
        hashes[place:] += values[: len(data) - place] << np.uint16(place)
    cuts = [0, *(np.flatnonzero(hashes == 0) + 1).tolist(), len(data)]
    pieces = [data[start:stop] for start, stop in pairwise(cuts) if stop > start]
    return {hashlib.sha256(piece).digest(): len(piece) for piece in pieces}


def refresh(root: Path, rows: int, new: int) -> bool:
    """Print how much of an export changes when rows are added; return whether that meets its target."""
    in_process(store_rows, root, 0, rows)
    in_process(export, root)
    before = files_of(root / "export")
    in_process(store_rows, root, rows, rows + new)
    in_process(export, root)
    after = files_of(root / "export")
    # The new rows alone, as a first version, are what cannot be less.
    alone = root / "alone"
    in_process(store_rows, alone, rows, rows + new)
    in_process(export, alone)
    least = sum(len(data) for name, data in files_of(alone / "export").items() if name.endswith(".parquet"))
    changed = {name: data for name, data in after.items() if before.get(name) != data}
    sent = sum(map(len, changed.values()))
    card = sum(len(data) for name, data in changed.items() if not name.endswith(".parquet"))
    old = {piece: size for data in before.values() for piece, size in chunks(data).items()}
    kept = {piece: size for data in after.values() for piece, size in chunks(data).items() if piece in old}
    print(f"refresh  {rows:,} rows + {new:,}: {len(changed)} of {len(after)} files new or changed")
    print(f"refresh  {sent / least:.3f} times the {least:,} bytes of the new rows, {card / least:.3f} for the card")
    print(f"refresh  {sum(kept.values()) / sum(old.values()):.2%} of the old bytes in unchanged 64 KiB chunks")
    return sent / least <= MOST_UPLOADED


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--no-refresh", action="store_true")
    arguments = parser.parse_args()
    met = True
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            met = speeds(Path(folder), rows) and met
    if not arguments.no_refresh:
        with tempfile.TemporaryDirectory() as folder:
            met = refresh(Path(folder), 10_000, 1_000) and met
    raise SystemExit(0 if met else 1)


if __name__ == "__main__":
    main()
