"""The dataset folder of an export, e.g. for `datasets.load_dataset("runs/demo/export")`, which loads `sft`.

Configurations: `sft` (one row per accepted cell), `preference`, `rejected`, `grades` and `self`, each present even
without rows, and `stress` if the run has a stress set. The dataset card counts the rows by k, skill, reason and source.
`version.json` is the version that the folder holds.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import orjson
import pyarrow as pa

from skillmill.data.export.card import CardFacts, dataset_card
from skillmill.data.export.changed_verdicts import ChangedVerdicts
from skillmill.data.export.editions import Editions
from skillmill.data.export.files import ExportFiles
from skillmill.data.export.funnel import Funnel
from skillmill.data.export.masking import Mask, masked_row
from skillmill.data.export.pair_counts import count_pairs
from skillmill.data.export.row_index import RowIndex
from skillmill.data.export.self_records import self_record
from skillmill.data.export.sft_rows import AnswersByPlan, StressAnswers, sft_rows
from skillmill.data.export.signal_columns import SIGNALS, signal_names, struct_schema
from skillmill.data.export.splits import SPLITS, split_of
from skillmill.data.files import replace_folder, sha256_of, store_errors, sync, temporary_path
from skillmill.data.records import GradingRow, PairRow, SampleRow
from skillmill.data.schemas import GRADING_SCHEMA, PREFERENCE_SCHEMA, SELF_SCHEMA, STRESS_SCHEMA
from skillmill.data.store import ShardStore, gradings_of
from skillmill.data.versions import VERSION_FILE, Version, Versions

CONFIGURATIONS = ("sft", "preference", "rejected", "grades", "self")
STRESS = "stress"
"""The configuration that an export has only with a stress set."""
VERSION_COLUMN = pa.field("version", pa.string())
"""The name of the version in which a row appeared first, e.g. "v1"."""


@dataclass(frozen=True)
class Exported:
    """What an export wrote: its counts and the version that it holds.

    `is_new`: no earlier version has these rows.
    """

    funnel: Funnel
    version: Version
    is_new: bool


def write_dataset_folder(
    samples: ShardStore,
    pairs: ShardStore,
    grades: ShardStore,
    folder: Path,
    facts: CardFacts,
    versions: Versions,
    draft: Version,
    mask: Mask = str,
    stress: AnswersByPlan | None = None,
    validation: float = 0.0,
    money: Callable[[int, int], float] | None = None,
) -> Exported:
    """Write the dataset folder of the plans `draft.plans` and replace the previous one.

    Each text passes through `mask`. Pairs whose row is not in `sft` are left out. With `stress` None there is
    no configuration `stress`. The files of rows that earlier versions have keep their names, and their bytes if no
    verdict changed.

    Each shard is verified once, and memory is that of one shard and 10 bytes a row.

    Args:
        samples: The store of sample rows.
        pairs: The store of pairs.
        grades: The store of gradings.
        folder: The folder to write.
        facts: What the card states besides counts.
        versions: The versions so far.
        draft: The new version, with everything but its counts and its checksum. If the last version has the same
            rows, the folder holds that version.
        mask: Changes each text that a teacher wrote.
        stress: The answers of the stress set by plan.
        validation: The share of the cells that are in the split `validation`.
        money: Returns the price of prompt tokens and completion tokens; None if there are no prices.

    Raises `StoreError` if a shard is damaged or the folder cannot be written; the previous folder is then unchanged.
    """
    export = _Export(temporary_path(folder), Editions(versions), ChangedVerdicts(folder), mask, stress, validation)
    with store_errors(f"cannot write {folder}"):
        shutil.rmtree(export.folder, ignore_errors=True)
        export.folder.mkdir(parents=True)
        splits = export.write(samples, pairs, grades, draft)
        version = export.version(draft, folder_checksum(export.folder), money)
        current = versions.current
        is_new = current is None or current.export_sha256 != version.export_sha256
        if current is not None and not is_new:
            version = current
        listed = [*versions.entries, version] if is_new else list(versions.entries)
        card = dataset_card(facts, export.funnel, version.export_sha256, splits, listed)
        (export.folder / "README.md").write_text(card, encoding="utf-8")
        (export.folder / VERSION_FILE).write_bytes(orjson.dumps(asdict(version), option=orjson.OPT_INDENT_2))
        for file in sorted(export.folder.rglob("*")):
            sync(file)
    replace_folder(export.folder, folder)
    return Exported(export.funnel, version, is_new)


def folder_checksum(folder: Path) -> str:
    """Return a SHA-256 over the names and contents of the Parquet files of a dataset folder, as 64 hex digits."""
    files = [(str(file.relative_to(folder)), sha256_of(file)) for file in sorted(folder.rglob("*.parquet"))]
    return hashlib.sha256(orjson.dumps(files)).hexdigest()


@dataclass
class _Export:
    """An export in progress, in the temporary folder `folder`."""

    folder: Path
    editions: Editions
    changes: ChangedVerdicts
    mask: Mask
    stress: AnswersByPlan | None
    validation: float
    funnel: Funnel = field(default_factory=Funnel)
    new: Funnel = field(default_factory=Funnel)
    """The counts of the rows that no earlier version has."""
    new_tokens: tuple[int, int] = (0, 0)
    """The prompt tokens and the completion tokens of these rows."""
    exported: RowIndex = field(default_factory=RowIndex)
    """The version and split of each `sft` row, as one number."""

    def write(self, samples: ShardStore, pairs: ShardStore, grades: ShardStore, draft: Version) -> dict[str, list[str]]:
        """Write all files; return the splits of each configuration."""
        shards = [shard for plan in draft.plans for shard in samples.of_plan(plan)]
        # Parquet needs the schema before the first row, so the names of the signals are collected first.
        schema = struct_schema(signal_names(samples.rows(shard, [SIGNALS])[SIGNALS] for shard in shards))
        schemas = {
            "sft": schema.append(VERSION_COLUMN),
            "preference": PREFERENCE_SCHEMA.append(VERSION_COLUMN),
            "rejected": schema.append(VERSION_COLUMN),
            "grades": GRADING_SCHEMA,
            "self": SELF_SCHEMA,
            **({STRESS: STRESS_SCHEMA} if self.stress is not None else {}),
        }
        with ExportFiles(self.folder, schemas) as files:
            answers = {plan: StressAnswers((self.stress or {}).get(plan, ())) for plan in draft.plans}
            for shard in shards:
                rows: list[SampleRow] = samples.read_unverified(shard).to_pylist()
                self._write_rows(files, shard.plan, rows, gradings_of(rows, shard, grades), answers[shard.plan])
            for plan, part in draft.plans.items():
                for table in pairs.tables([part.pairs]):
                    self._write_pairs(files, plan, table.to_pylist())
        self.funnel.pairs = sum(counts.pairs for counts in self.funnel.preference.values())
        return {configuration: files.splits(configuration) for configuration in schemas}

    def version(self, draft: Version, checksum: str, money: Callable[[int, int], float] | None) -> Version:
        """Return the version with the counts of this export."""
        tokens = self.new_tokens
        return replace(
            draft,
            version=f"v{self.editions.new}",
            rows_new=self.new.accepted_cells,
            rows=self.funnel.accepted_cells,
            dropped=dict(sorted(self.new.reasons.items())),
            verdicts_changed=self.changes.count,
            prompt_tokens=tokens[0],
            completion_tokens=tokens[1],
            money=money(*tokens) if money else None,
            export_sha256=checksum,
        )

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
            self.funnel.count(part)
            if edition == self.editions.new:
                self.new.count(part)
                prompts = sum(row["prompt_tokens"] or 0 for row in part)
                completions = sum(row["completion_tokens"] or 0 for row in part)
                self.new_tokens = self.new_tokens[0] + prompts, self.new_tokens[1] + completions
            else:
                self.changes.add(part)
            sft = list(sft_rows(part))
            self.exported.add((row["id"] for row in sft), edition * len(SPLITS) + SPLITS.index(split))
            self_records = [record for row in sft if (record := self_record(row)) is not None]
            self.funnel.self_records += len(self_records)
            of_part = [grading for row in part for grading in of_row.get(row["id"], ())]
            self.funnel.gradings += len(of_part)
            self.funnel.unusable_gradings += sum(grading["grade"] is None for grading in of_part)
            where = split, edition, plan
            rejected = (row for row in part if row["verdict"] == "rejected")
            files.append("sft", *where, [_export_row(row, edition) for row in sft])
            files.append("rejected", *where, [_export_row(row, edition) for row in rejected])
            files.append("self", *where, self_records)
            files.append("grades", *where, of_part)
            if self.stress is not None:
                stress = [stress_answers.stress_row(row, self.mask) for row in sft]
                self.funnel.stress.update(row["replaced_by"] for row in stress if row["replaced_by"] is not None)
                files.append(STRESS, *where, stress)

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


def _export_row(row: SampleRow, edition: int) -> dict[str, object]:
    """Return the row with its signals as a struct and its version."""
    return {**row, SIGNALS: dict(row["signals"] or []), "version": f"v{edition}"}
