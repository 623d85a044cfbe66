"""The rows of an export: each stored row goes to the configurations it belongs to, by version and split."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pyarrow as pa

from skillmill.data.export.changed_verdicts import ChangedVerdicts
from skillmill.data.export.editions import Editions
from skillmill.data.export.files import Contents, ExportFiles
from skillmill.data.export.formats import FORMATS, RECORDS
from skillmill.data.export.funnel import Funnel
from skillmill.data.export.masking import Mask, masked_row
from skillmill.data.export.pair_counts import count_pairs
from skillmill.data.export.row_index import RowIndex
from skillmill.data.export.row_statistics import RowStatistics
from skillmill.data.export.self_records import self_record
from skillmill.data.export.sft_rows import AnswersByPlan, StressAnswers, sft_rows
from skillmill.data.export.signal_columns import SIGNALS, SignalColumns, signal_columns
from skillmill.data.export.splits import SPLITS, split_of
from skillmill.data.export.thinking import Thinking, exported_row, exported_schema
from skillmill.data.records import GradingRow, PairRow, SampleRow
from skillmill.data.schemas import GRADING_SCHEMA, PREFERENCE_SCHEMA, SELF_SCHEMA, STRESS_SCHEMA
from skillmill.data.store import ShardStore, gradings_of
from skillmill.data.versions import Version

CONFIGURATIONS = ("sft", "preference", "rejected", "grades", "self")
STRESS = "stress"
"""The configuration that an export has only with a stress set."""
VERSION_COLUMN = pa.field("version", pa.string())
"""The name of the version in which a row appeared first, e.g. "v1"."""
_SCHEMAS = {
    "preference": PREFERENCE_SCHEMA.append(VERSION_COLUMN),
    "grades": GRADING_SCHEMA,
    "self": SELF_SCHEMA,
    STRESS: STRESS_SCHEMA,
}


@dataclass
class ExportRows:
    """An export in progress, in the folder `folder`; `write` writes it, and then the counts are complete."""

    folder: Path
    editions: Editions
    changes: ChangedVerdicts
    mask: Mask
    stress: AnswersByPlan | None
    validation: float
    formats: Sequence[str]
    thinking: Thinking = "drop"
    funnel: Funnel = field(default_factory=Funnel)
    statistics: RowStatistics = field(default_factory=RowStatistics)
    new: RowStatistics = field(default_factory=RowStatistics)
    """The tokens of the rows that no earlier version has."""
    new_cells: int = 0
    """Accepted cells that no earlier version has."""
    new_reasons: Counter[str] = field(default_factory=Counter)
    """The rejected rows of new cells, by reason."""
    exported: RowIndex = field(default_factory=RowIndex)
    """The version and split of each `sft` row, as one number."""
    signals: SignalColumns = field(default_factory=SignalColumns)

    def write(self, samples: ShardStore, pairs: ShardStore, grades: ShardStore, draft: Version) -> dict[str, Contents]:
        """Write all files; return the contents of each configuration."""
        shards = [shard for plan in draft.plans for shard in samples.of_plan(plan)]
        # Parquet needs the schema before the first row, so the names of the signals are collected first.
        self.signals = signal_columns(samples, shards, self.editions)
        configurations = [*CONFIGURATIONS, *([STRESS] if self.stress is not None else [])]
        with ExportFiles(self.folder, configurations, self._schema_of, self.editions.new) as files:
            answers = {plan: StressAnswers((self.stress or {}).get(plan, ())) for plan in draft.plans}
            for shard in shards:
                rows: list[SampleRow] = samples.read_unverified(shard).to_pylist()
                self._write_rows(files, shard.plan, rows, gradings_of(rows, shard, grades), answers[shard.plan])
            for plan, part in draft.plans.items():
                for table in pairs.tables([part.pairs]):
                    self._write_pairs(files, plan, table.to_pylist())
        self.funnel.pairs = sum(counts.pairs for counts in self.funnel.preference.values())
        return {configuration: files.contents(configuration) for configuration in configurations}

    def version(self, draft: Version, checksum: str, money: Callable[[int, int], float] | None) -> Version:
        """Return the version with the counts of this export."""
        tokens = self.new.prompt_tokens, self.new.completion_tokens
        return replace(
            draft,
            version=f"v{self.editions.new}",
            rows_new=self.new_cells,
            rows=self.funnel.accepted_cells,
            dropped=dict(sorted(self.new_reasons.items())),
            verdicts_changed=self.changes.count,
            prompt_tokens=tokens[0],
            completion_tokens=tokens[1],
            money=money(*tokens) if money else None,
            export_sha256=checksum,
        )

    def _schema_of(self, configuration: str, version: int) -> pa.Schema:
        if schema := _SCHEMAS.get(configuration):
            return schema
        return exported_schema(self.signals.schema(version), self.thinking).append(VERSION_COLUMN)

    def _write_rows(
        self,
        files: ExportFiles,
        plan: str,
        rows: list[SampleRow],
        gradings: list[GradingRow],
        stress_answers: StressAnswers,
    ) -> None:
        """Write the rows of one shard to all configurations but `preference`."""
        of_row: dict[str, list[GradingRow]] = {}
        for grading in gradings:
            of_row.setdefault(grading["id"], []).append(masked_row(grading, self.mask))
        for (edition, split), part in self._parts(rows).items():
            sft = list(sft_rows(part))
            self._count(part, len(sft), edition)
            self.statistics.count_sft(sft)
            self.exported.add((row["id"] for row in sft), edition * len(SPLITS) + SPLITS.index(split))
            self_records = [record for row in sft if (record := self_record(row)) is not None]
            self.funnel.self_records += len(self_records)
            of_part = [grading for row in part for grading in of_row.get(row["id"], ())]
            self.funnel.gradings += len(of_part)
            self.funnel.unusable_gradings += sum(grading["grade"] is None for grading in of_part)
            where = split, edition, plan
            rejected = (row for row in part if row["verdict"] == "rejected")
            files.append("sft", *where, [self._export_row(row, edition) for row in sft])
            files.append("rejected", *where, [self._export_row(row, edition) for row in rejected])
            files.append("self", *where, self_records)
            files.append("grades", *where, of_part)
            for name in self.formats:
                files.append(f"{FORMATS}/{name}", *where, [self._record(row, edition, name) for row in sft])
            if self.stress is not None:
                stress = [stress_answers.stress_row(row, self.mask) for row in sft]
                self.funnel.stress.update(row["replaced_by"] for row in stress if row["replaced_by"] is not None)
                files.append(STRESS, *where, stress)

    def _count(self, part: list[SampleRow], accepted_cells: int, edition: int) -> None:
        """Count rows of one version."""
        self.funnel.count(part)
        self.statistics.count_tokens(part)
        if edition == self.editions.new:
            self.new.count_tokens(part)
            self.new_cells += accepted_cells
            for row in part:
                if row["verdict"] == "rejected":
                    self.new_reasons.update(row["reasons"])
        else:
            self.changes.add(part)

    def _record(self, row: SampleRow, edition: int, name: str) -> dict[str, object]:
        """Return the record of a row in a further format. All rows of `json` have all signals, as readers expect."""
        if name in RECORDS:
            return RECORDS[name](cast(SampleRow, exported_row(row, self.thinking)))
        signals = dict.fromkeys(self.signals.names(self.editions.new)) | dict(row["signals"] or [])
        return self._export_row(row, edition) | {SIGNALS: signals}

    def _export_row(self, row: SampleRow, edition: int) -> dict[str, object]:
        """Return the row with its signals as a struct and its version, and its thinking as the export has it."""
        return {
            **exported_row(row, self.thinking),
            SIGNALS: dict(row["signals"] or []),
            "version": f"v{edition}",
        }

    def _parts(self, rows: list[SampleRow]) -> dict[tuple[int, str], list[SampleRow]]:
        """Return the masked rows by version and split, in the order of their versions, without withdrawn rows."""
        parts: dict[tuple[int, str], list[SampleRow]] = {}
        for row in rows:
            edition = self.editions.of(row["plan"], row["index"])
            if edition is not None:
                split = split_of(row, self.validation)
                parts.setdefault((edition, split), []).append({**masked_row(row, self.mask), "split": split})
        return dict(sorted(parts.items(), key=lambda item: item[0][0]))

    def _write_pairs(self, files: ExportFiles, plan: str, rows: list[PairRow]) -> None:
        """Write the kept pairs of the `sft` rows of one shard to `preference`."""
        parts: dict[int, list[PairRow]] = {}
        for row in rows:
            place = self.exported.get(row["row"])
            if place is not None:
                parts.setdefault(place, []).append(row)
        for place, part in sorted(parts.items()):
            edition, split = divmod(place, len(SPLITS))
            count_pairs(part, self.funnel.preference)
            kept = [masked_row(row, self.mask) for row in part if row["reason"] is None]
            files.append(
                "preference", SPLITS[split], edition, plan, [{**row, "version": f"v{edition}"} for row in kept]
            )
