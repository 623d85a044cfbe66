"""The Hugging Face dataset folder: `datasets.load_dataset("runs/demo/export")` gives configuration `sft`.

Configurations: `sft` (one row per accepted cell), `preference`, `rejected`, `grades`, `self`; each is always there,
even empty. `stress` is there where one was asked for. The card counts rows per k, skill, reason and source.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from skillmill.data.export.card import CardFacts, card
from skillmill.data.export.pair_counts import PairCounts, count_pairs
from skillmill.data.export.self_records import self_record
from skillmill.data.files import replace_folder, sha256_of, store_errors, sync
from skillmill.data.schemas import GRADING_SCHEMA, PREFERENCE_SCHEMA, SAMPLE_SCHEMA, SELF_SCHEMA, STRESS_SCHEMA
from skillmill.data.store import ShardStore, gradings_of

Mask = Callable[[str], str]
StressAnswers = Mapping[str, Iterable[dict[str, Any]]]
"""By plan, rows of `STRESS_ANSWER_SCHEMA` in the order of index."""

CONFIGURATIONS = ("sft", "preference", "rejected", "grades", "self")
STRESS = "stress"
"""The configuration that is there only where a stress set was asked for."""


@dataclass
class Funnel:
    """Where the rows fell. `reasons` counts rejected rows per reason; a row with two reasons counts in both."""

    cells: int = 0
    rows: int = 0
    accepted_rows: int = 0
    accepted_cells: int = 0
    pairs: int = 0
    gradings: int = 0
    self_records: int = 0
    per_k: Counter[int] = field(default_factory=Counter)
    per_skill: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    graded: Counter[str] = field(default_factory=Counter)
    """Rows with a grade, by who gave it."""
    ungraded: int = 0
    """Rows that a grader was asked about in vain."""
    earned: Counter[str] = field(default_factory=Counter)
    """Of the graded rows, how many have every skill, each other point, and all of them (full marks)."""
    preference: dict[str, PairCounts] = field(default_factory=dict)
    """By source of the rejected side."""
    stress: Counter[str] = field(default_factory=Counter)
    """Replaced answers of the stress set, by what replaced them."""

    @property
    def rejected_rows(self) -> int:
        return self.rows - self.accepted_rows

    def count(self, rows: list[dict[str, Any]]) -> None:
        """Add rows of whole cells: their `index`, `verdict`, `reasons`, `k`, `skills`, `grade` and `grader`."""
        accepted = [row for row in rows if row["verdict"] == "accepted"]
        self.rows += len(rows)
        self.accepted_rows += len(accepted)
        for row in rows:
            if row["verdict"] == "rejected":  # what a person accepted keeps its reasons, but did not fall
                self.reasons.update(row["reasons"])
            if row["grade"]:
                self.graded[row["grader"]] += 1
                self.earned.update(_earned(row["grade"]))
            self.ungraded += row["grader"] is not None and row["grade"] is None
        of_cell = {row["index"]: row for row in accepted}
        self.cells += len({row["index"] for row in rows})
        self.accepted_cells += len(of_cell)
        for row in of_cell.values():
            self.per_k[row["k"]] += 1
            self.per_skill.update(row["skills"])

    def grades(self) -> list[tuple[str, int, float]]:
        """What graded rows earn, in words: how many rows and which share of those graded."""
        whole = sum(self.graded.values())
        return [(name, self.earned[name], self.earned[name] / whole) for name in EARNED] if whole else []

    def as_dict(self) -> dict[str, Any]:
        return {key: _plain(value) for key, value in vars(self).items()}


EARNED = ("every skill", "on topic", "makes sense", "within limit", "full marks")


def _earned(grade: dict[str, Any]) -> Iterator[str]:
    has = [all(skill["point"] == 1 for skill in grade["skills"])]
    has += [grade[name] == 1 for name in ("on_topic", "makes_sense", "within_limit")]
    return compress(EARNED, [*has, all(has)])


def _plain(value: Any) -> Any:
    if isinstance(value, PairCounts):
        return value.as_dict()
    return {str(key): _plain(inner) for key, inner in sorted(value.items())} if isinstance(value, dict) else value


def export(
    samples: ShardStore,
    pairs: ShardStore,
    grades: ShardStore,
    folder: Path,
    facts: CardFacts,
    mask: Mask = str,
    stress: StressAnswers | None = None,
) -> tuple[Funnel, str]:
    """Write the dataset folder of `facts.plans` anew, whole or not at all, every text through `mask`.

    Pairs of rows that are not among the `sft` rows (any more) are left out; with `stress` None there is no such set.
    Returns the funnel and a checksum of the exported rows. Raises `StoreError` on a damaged shard.
    """
    funnel = Funnel()
    new = folder.with_name(f".{folder.name}.tmp")
    with store_errors(f"cannot write {folder}"):
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        chosen = _write_samples(samples, facts.plans, new, mask, stress, funnel)
        _write_pairs(pairs, facts.pair_plans, chosen, new, mask, funnel)
        _write_grades(samples, grades, facts.plans, new, mask, funnel)
        checksum = _checksum(new)
        configurations = CONFIGURATIONS if stress is None else (*CONFIGURATIONS, STRESS)
        (new / "README.md").write_text(card(facts, funnel, checksum, configurations), encoding="utf-8")
        for file in sorted(new.rglob("*")):
            sync(file)
    replace_folder(new, folder)
    return funnel, checksum


def _write_samples(
    samples: ShardStore, plans: list[str], new: Path, mask: Mask, stress: StressAnswers | None, funnel: Funnel
) -> set[str]:
    """Write `sft`, `rejected`, `self` and, if asked for, `stress`; returns the ids of the `sft` rows."""
    chosen, schema = set[str](), _with_signal_columns(samples, plans)
    schemas = {"sft": schema, "rejected": schema, "self": SELF_SCHEMA}
    if stress is not None:
        schemas[STRESS] = STRESS_SCHEMA
    with ExitStack() as files:
        writers = {name: files.enter_context(_Writer(new / name, form)) for name, form in schemas.items()}
        for plan in plans:
            replaced = _Replaced((stress or {}).get(plan, ()))
            for table in samples.tables([plan]):
                rows = [masked_row(row, mask) for row in table.to_pylist()]
                funnel.count(rows)
                for row in rows:
                    row["signals"] = dict(row["signals"] or [])
                best = list(accepted_cells(rows))
                made = {
                    "sft": best,
                    "rejected": [row for row in rows if row["verdict"] == "rejected"],
                    "self": [record for record in map(self_record, best) if record],
                    STRESS: [replaced.over(row, mask) for row in best],
                }
                for name, writer in writers.items():
                    writer.write(made[name])
                funnel.self_records += len(made["self"])
                funnel.stress.update(row["replaced_by"] for row in made[STRESS] if row["replaced_by"])
                chosen.update(row["id"] for row in best)
    return chosen


def _write_pairs(pairs: ShardStore, plans: list[str], chosen: set[str], new: Path, mask: Mask, funnel: Funnel) -> None:
    """Write `preference`: the pairs of the `chosen` rows that were not dropped."""
    with _Writer(new / "preference", PREFERENCE_SCHEMA) as preference:
        for table in pairs.tables(plans):
            rows = [row for row in table.to_pylist() if row["row"] in chosen]
            count_pairs(rows, funnel.preference)
            preference.write([masked_row(row, mask) for row in rows if row["reason"] is None])
    funnel.pairs = sum(counts.pairs for counts in funnel.preference.values())


def _write_grades(
    samples: ShardStore, grades: ShardStore, plans: list[str], new: Path, mask: Mask, funnel: Funnel
) -> None:
    """Write `grades`: the raw gradings of all rows."""
    with _Writer(new / "grades", GRADING_SCHEMA) as raw:
        for shard in (shard for plan in plans for shard in samples.of_plan(plan)):
            rows = samples.rows(shard, ["id", "grader"]).to_pylist()
            gradings = [masked_row(row, mask) for row in gradings_of(rows, shard, grades)]
            raw.write(gradings)
            funnel.gradings += len(gradings)


_MESSAGES = ("prompt", "completion", "chosen", "rejected")
_TEXTS = ("draft", "critique", "explanation", "raw", "topic", "query_type")


def masked_row(row: dict[str, Any], mask: Mask) -> dict[str, Any]:
    """A sample, preference or grade row with all that a teacher wrote gone through `mask`."""
    said: dict[str, Any] = {
        name: [{**message, "content": mask(message["content"])} for message in row[name]]
        for name in _MESSAGES
        if row.get(name)
    }
    if grade := row.get("grade"):
        skills = [{**skill, "evidence": skill["evidence"] and mask(skill["evidence"])} for skill in grade["skills"]]
        said["grade"] = {**grade, "skills": skills}
    return {**row, **said, **{name: mask(row[name]) for name in _TEXTS if row.get(name)}}


def best_of_cell(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row that stands for its cell in `sft`: best `grade.total`, then the lowest generation."""
    return min(rows, key=lambda row: (-(row["grade"]["total"] if row["grade"] else 0.0), row["generation"]))


def accepted_cells(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The `sft` rows among the rows of whole cells."""
    by_cell: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        if row["verdict"] == "accepted":
            by_cell.setdefault(row["index"], []).append(row)
    return map(best_of_cell, by_cell.values())


class _Writer:
    """One configuration: a Parquet file of one split, streamed."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        folder.mkdir()
        self._schema = schema
        self._file = pq.ParquetWriter(folder / "train-00000.parquet", schema, compression="zstd")

    def write(self, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._file.write_table(pa.Table.from_pylist(rows, schema=self._schema))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Replaced:
    """The stress set's answers, laid over the rows that they belong to; both come in the order of index."""

    def __init__(self, answers: Iterable[dict[str, Any]]) -> None:
        self._answers = iter(answers)
        self._next = next(self._answers, None)

    def over(self, row: dict[str, Any], mask: Mask) -> dict[str, Any]:
        """A row of `STRESS_SCHEMA`."""
        while self._next is not None and self._next["index"] < row["index"]:  # of a row that is no `sft` row any more
            self._next = next(self._answers, None)
        own = {name: row.get(name) for name in STRESS_SCHEMA.names}
        if self._next is None or self._next["row"] != row["id"] or not self._next["text"]:
            return own
        answer = [{"role": "assistant", "content": mask(self._next["text"])}]
        return {**own, "completion": answer, "replaced_by": self._next["source"]}


def _with_signal_columns(samples: ShardStore, plans: list[str]) -> pa.Schema:
    """The sample schema with signals as a struct: `datasets` knows no map type."""
    names: set[str] = set()
    for table in samples.tables(plans, ["signals"]):
        names.update(name for signals in table["signals"].to_pylist() for name, _ in signals or [])
    struct = pa.struct([(name, pa.float64()) for name in sorted(names) or ["words"]])
    place = SAMPLE_SCHEMA.get_field_index("signals")
    return SAMPLE_SCHEMA.set(place, pa.field("signals", struct))


def _checksum(folder: Path) -> str:
    lines = [(str(file.relative_to(folder)), sha256_of(file)) for file in sorted(folder.rglob("*.parquet"))]
    return hashlib.sha256(orjson.dumps(lines)).hexdigest()
