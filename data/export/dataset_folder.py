"""The dataset folder of an export, e.g. for `datasets.load_dataset("runs/demo/export")`, which loads `sft`.

Configurations: `sft` (one row per accepted cell), `preference`, `rejected`, `grades` and `self`, each present even
without rows, and `stress` if the run has a stress set. The dataset card counts the rows by k, skill, reason and source.
"""

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from skillmill.data.export.card import CardFacts, dataset_card
from skillmill.data.export.funnel import Funnel
from skillmill.data.export.masking import Mask, masked_row
from skillmill.data.export.pair_counts import count_pairs
from skillmill.data.export.self_records import self_record
from skillmill.data.export.sft_rows import AnswersByPlan, StressAnswers, sft_rows
from skillmill.data.export.signal_columns import SIGNALS, signal_names, struct_schema
from skillmill.data.files import replace_folder, sha256_of, store_errors, sync, temporary_path
from skillmill.data.parquet import parquet_writer
from skillmill.data.records import PairRow, SampleRow
from skillmill.data.schemas import GRADING_SCHEMA, PREFERENCE_SCHEMA, SELF_SCHEMA, STRESS_SCHEMA
from skillmill.data.store import ShardStore, gradings_of

CONFIGURATIONS = ("sft", "preference", "rejected", "grades", "self")
STRESS = "stress"
"""The configuration that an export has only with a stress set."""


def write_dataset_folder(
    samples: ShardStore,
    pairs: ShardStore,
    grades: ShardStore,
    folder: Path,
    facts: CardFacts,
    mask: Mask = str,
    stress: AnswersByPlan | None = None,
) -> tuple[Funnel, str]:
    """Write the dataset folder of the plans `facts.plans` and replace the previous one.

    Each text passes through `mask`. Pairs whose row is not in `sft` are left out. With `stress` None there is
    no configuration `stress`.

    Each shard is verified once, and memory is that of one shard.

    Returns the funnel and a checksum of the exported rows. Raises `StoreError` if a shard is damaged or the folder
    cannot be written; the previous folder is then unchanged.
    """
    export = _Export(temporary_path(folder), mask, stress)
    with store_errors(f"cannot write {folder}"):
        shutil.rmtree(export.folder, ignore_errors=True)
        export.folder.mkdir(parents=True)
        sft_ids = export.write_samples(samples, grades, facts.plans)
        export.write_pairs(pairs, facts.pair_plans, sft_ids)
        checksum = _checksum(export.folder)
        configurations = CONFIGURATIONS if stress is None else (*CONFIGURATIONS, STRESS)
        card = dataset_card(facts, export.funnel, checksum, configurations)
        (export.folder / "README.md").write_text(card, encoding="utf-8")
        for file in sorted(export.folder.rglob("*")):
            sync(file)
    replace_folder(export.folder, folder)
    return export.funnel, checksum


@dataclass
class _Export:
    """An export in progress, in the temporary folder `folder`."""

    folder: Path
    mask: Mask
    stress: AnswersByPlan | None
    funnel: Funnel = field(default_factory=Funnel)

    def write_samples(self, samples: ShardStore, grades: ShardStore, plans: Sequence[str]) -> set[str]:
        """Write all configurations but `preference`. Return the ids of the `sft` rows."""
        shards = [shard for plan in plans for shard in samples.of_plan(plan)]
        # Parquet needs the schema before the first row, so the names of the signals are collected first.
        schema = struct_schema(signal_names(samples.rows(shard, [SIGNALS])[SIGNALS] for shard in shards))
        stress_answers = {plan: StressAnswers((self.stress or {}).get(plan, ())) for plan in plans}
        sft_ids: set[str] = set()
        with ExitStack() as files:
            schemas = {"sft": schema, "rejected": schema, "self": SELF_SCHEMA, "grades": GRADING_SCHEMA}
            if self.stress is not None:
                schemas[STRESS] = STRESS_SCHEMA
            writers = {name: files.enter_context(self._open(name, schema)) for name, schema in schemas.items()}
            for shard in shards:
                rows = [masked_row(row, self.mask) for row in samples.read_unverified(shard).to_pylist()]
                self.funnel.count(rows)
                sft = list(sft_rows(rows))
                sft_ids.update(row["id"] for row in sft)
                self_records = [record for row in sft if (record := self_record(row)) is not None]
                self.funnel.self_records += len(self_records)
                gradings = [masked_row(grading, self.mask) for grading in gradings_of(rows, shard, grades)]
                self.funnel.gradings += len(gradings)
                self.funnel.unusable_gradings += sum(grading["grade"] is None for grading in gradings)
                _append(writers["sft"], map(_with_signal_struct, sft))
                _append(writers["rejected"], (_with_signal_struct(row) for row in rows if row["verdict"] == "rejected"))
                _append(writers["self"], self_records)
                _append(writers["grades"], gradings)
                if self.stress is not None:
                    stress = [stress_answers[shard.plan].stress_row(row, self.mask) for row in sft]
                    self.funnel.stress.update(row["replaced_by"] for row in stress if row["replaced_by"] is not None)
                    _append(writers[STRESS], stress)
        return sft_ids

    def write_pairs(self, pairs: ShardStore, plans: Sequence[str], sft_ids: set[str]) -> None:
        """Write `preference`: the kept pairs of the `sft` rows."""
        with self._open("preference", PREFERENCE_SCHEMA) as writer:
            for table in pairs.tables(plans):
                rows: list[PairRow] = [row for row in table.to_pylist() if row["row"] in sft_ids]
                count_pairs(rows, self.funnel.preference)
                _append(writer, [masked_row(row, self.mask) for row in rows if row["reason"] is None])
        self.funnel.pairs = sum(counts.pairs for counts in self.funnel.preference.values())

    def _open(self, configuration: str, schema: pa.Schema) -> pq.ParquetWriter:
        """Open the only file of a configuration, which has one split."""
        (self.folder / configuration).mkdir()
        return parquet_writer(self.folder / configuration / "train-00000.parquet", schema)


def _with_signal_struct(row: SampleRow) -> dict[str, object]:
    return {**row, SIGNALS: dict(row["signals"] or [])}


def _append(writer: pq.ParquetWriter, rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows as a row group, unless there are none."""
    if rows := list(rows):
        writer.write_table(pa.Table.from_pylist(rows, schema=writer.schema))


def _checksum(folder: Path) -> str:
    files = [(str(file.relative_to(folder)), sha256_of(file)) for file in sorted(folder.rglob("*.parquet"))]
    return hashlib.sha256(orjson.dumps(files)).hexdigest()
