"""The dataset folder of an export, e.g. for `datasets.load_dataset("runs/demo/export")`, which loads `sft`.

Configurations: `sft` (one row per accepted cell), `preference`, `rejected`, `grades` and `self`, each present even
without rows, and `stress` if the run has a stress set. The dataset card counts the rows by k, skill, reason and source.
`formats/` has the `sft` rows in the forms of other trainers. `version.json` is the version that the folder holds.
"""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from skillmill.data.export.card.facts import CardFacts
from skillmill.data.export.card.page import Cost, Counts, dataset_card
from skillmill.data.export.card.plots import write_plots
from skillmill.data.export.changed_verdicts import ChangedVerdicts
from skillmill.data.export.editions import Editions
from skillmill.data.export.export_rows import ExportRows
from skillmill.data.export.funnel import Funnel
from skillmill.data.export.masking import Mask
from skillmill.data.export.sft_rows import AnswersByPlan
from skillmill.data.export.thinking import Thinking
from skillmill.data.files import replace_folder, sha256_of, store_errors, sync, temporary_path
from skillmill.data.store import ShardStore
from skillmill.data.versions import VERSION_FILE, Version, Versions


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
    formats: Sequence[str] = (),
    thinking: Thinking = "drop",
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
        formats: Further forms of the `sft` rows, names of `export.formats`.
        thinking: Where the thinking of a reasoning teacher is, see `thinking.py`.

    Raises `StoreError` if a shard is damaged or the folder cannot be written; the previous folder is then unchanged.
    """
    changes = ChangedVerdicts(folder)
    export = ExportRows(
        temporary_path(folder), Editions(versions), changes, mask, stress, validation, formats, thinking
    )
    with store_errors(f"cannot write {folder}"):
        shutil.rmtree(export.folder, ignore_errors=True)
        export.folder.mkdir(parents=True)
        contents = export.write(samples, pairs, grades, draft)
        version = export.version(draft, folder_checksum(export.folder), money)
        current = versions.current
        is_new = current is None or current.export_sha256 != version.export_sha256
        if current is not None and not is_new:
            version = current
        listed = [*versions.entries, version] if is_new else list(versions.entries)
        tokens = export.statistics.prompt_tokens, export.statistics.completion_tokens
        counts = Counts(export.funnel, export.statistics, Cost(*tokens, money(*tokens) if money else None))
        plots = write_plots(export.folder, facts.taxonomy, counts.funnel, counts.statistics)
        card = dataset_card(facts, counts, version.export_sha256, contents, listed, plots)
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
