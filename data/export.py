"""The Hugging Face dataset folder: `datasets.load_dataset("runs/demo/export")` gives configuration `sft`.

Configurations: `sft` (one row per accepted cell), `preference`, `rejected`, `grades`; each is always there,
even empty. The card counts rows per k, skill and reason.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from skillmill.data.files import replace_folder, sha256_of, store_errors, sync
from skillmill.data.records import GRADES_SCHEMA, PREFERENCE_SCHEMA, SAMPLE_SCHEMA, pair_id
from skillmill.data.store import ShardStore, gradings_of

Mask = Callable[[str], str]

CONFIGURATIONS = ("sft", "preference", "rejected", "grades")


@dataclass
class Funnel:
    """Where the rows fell. `reasons` counts rejected rows per reason; a row with two reasons counts in both."""

    cells: int = 0
    rows: int = 0
    accepted_rows: int = 0
    accepted_cells: int = 0
    pairs: int = 0
    gradings: int = 0
    per_k: Counter[int] = field(default_factory=Counter)
    per_skill: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    pair_sources: Counter[str] = field(default_factory=Counter)
    graded: Counter[str] = field(default_factory=Counter)
    """Rows with a grade, by who gave it."""
    ungraded: int = 0
    """Rows that a grader was asked about in vain."""
    earned: Counter[str] = field(default_factory=Counter)
    """Of the graded rows, how many have every skill, each other point, and all of them (full marks)."""

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
        return {
            key: {str(name): count for name, count in sorted(value.items())} if isinstance(value, Counter) else value
            for key, value in vars(self).items()
        }


EARNED = ("every skill", "on topic", "makes sense", "within limit", "full marks")


def _earned(grade: dict[str, Any]) -> Iterator[str]:
    has = [all(skill["point"] == 1 for skill in grade["skills"])]
    has += [grade[name] == 1 for name in ("on_topic", "makes_sense", "within_limit")]
    return compress(EARNED, [*has, all(has)])


@dataclass(frozen=True)
class CardFacts:
    """What the card says beside the counts."""

    name: str
    kind: str
    teacher: str
    taxonomy: str
    plans: list[str]
    pair_plans: list[str]


def export(
    samples: ShardStore, pairs: ShardStore, grades: ShardStore, folder: Path, facts: CardFacts, mask: Mask = str
) -> tuple[Funnel, str]:
    """Write the dataset folder of `facts.plans` anew, whole or not at all, every text through `mask`.

    Pairs of rows that are not among the `sft` rows (any more) are left out.
    Returns the funnel and a checksum of the exported rows. Raises `StoreError` on a damaged shard.
    """
    funnel, chosen = Funnel(), set[str]()
    new = folder.with_name(f".{folder.name}.tmp")
    schema = _with_signal_columns(samples, facts.plans)
    with store_errors(f"cannot write {folder}"):
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        with _Writer(new / "sft", schema) as sft, _Writer(new / "rejected", schema) as rejected:
            for table in samples.tables(facts.plans):
                rows = [masked_row(row, mask) for row in table.to_pylist()]
                chosen.update(_split(rows, sft, rejected, funnel))
        known: dict[str, set[str]] = {}
        with _Writer(new / "preference", PREFERENCE_SCHEMA) as preference:
            for table in pairs.tables(facts.pair_plans):
                rows = [masked_row(row, mask) for row in _of_rows(table.to_pylist(), chosen, known)]
                preference.write(rows)
                funnel.pairs += len(rows)
                funnel.pair_sources.update(row["rejected_source"] for row in rows)
        with _Writer(new / "grades", GRADES_SCHEMA) as raw:
            for shard in (shard for plan in facts.plans for shard in samples.of_plan(plan)):
                rows = samples.rows(shard, ["id", "grader"]).to_pylist()
                gradings = [masked_row(row, mask) for row in gradings_of(rows, shard, grades)]
                raw.write(gradings)
                funnel.gradings += len(gradings)
        checksum = _checksum(new)
        (new / "README.md").write_text(_card(facts, funnel, checksum), encoding="utf-8")
        for file in sorted(new.rglob("*")):
            sync(file)
    replace_folder(new, folder)
    return funnel, checksum


_MESSAGES, _TEXTS = ("prompt", "completion", "chosen", "rejected"), ("draft", "critique", "explanation", "raw")


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


def _split(rows: list[dict[str, Any]], sft: _Writer, rejected: _Writer, funnel: Funnel) -> list[str]:
    """The ids of the rows that went to `sft`."""
    funnel.count(rows)
    for row in rows:
        row["signals"] = dict(row["signals"] or [])
    chosen = list(accepted_cells(rows))
    sft.write(chosen)
    rejected.write([row for row in rows if row["verdict"] == "rejected"])
    return [row["id"] for row in chosen]


def _of_rows(pairs: list[dict[str, Any]], chosen: set[str], known: dict[str, set[str]]) -> Iterator[dict[str, Any]]:
    """The pairs of chosen rows; `known` keeps the ids that their pairs have, by source."""
    for pair in pairs:
        source = pair["rejected_source"]
        if source not in known:
            known[source] = {pair_id(row, source) for row in chosen}
        if pair["id"] in known[source]:
            yield pair


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


def _card(facts: CardFacts, funnel: Funnel, checksum: str) -> str:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["cell"] = table_cell
    environment.filters["yaml"] = lambda text: orjson.dumps(text).decode()  # JSON strings are YAML strings
    template = environment.get_template("card.md.jinja")
    return template.render(facts=facts, funnel=funnel, checksum=checksum, configurations=CONFIGURATIONS)


def table_cell(text: object) -> str:
    """Any text inside a Markdown table: no line breaks, no pipes, no HTML."""
    line = " ".join(str(text).split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "'")
