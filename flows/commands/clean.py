"""`skillmill clean`: delete what no version that is kept needs."""

import logging
from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.data.freed import write_freed
from skillmill.data.store import ShardStore, grade_store, pair_store, sample_store, stress_store
from skillmill.data.versions import Version, adopt_exported
from skillmill.flows.ranges.stop import delete_marks
from skillmill.flows.refresh.open_refresh import OPEN_REFRESH
from skillmill.flows.rows.cell_rows import is_unanswered
from skillmill.flows.rows.duplicates import accepted_by_filters
from skillmill.flows.runtime.named_directory import Directory, open_directory
from skillmill.flows.runtime.output_lock import hold_output
from skillmill.flows.runtime.workspace import read_state
from skillmill.teachers.middleware.journal import Journal

log = logging.getLogger(__name__)


def clean(name: str | Path, keep: int | None, dry_run: bool) -> int:
    """Delete the shards and the journalled replies of plans that none of the newest `keep` versions has.

    The tried cells and the ids of kept rows of deleted shards stay, and so do all signatures. `keep` None is
    `retention.versions` of the last run; if that is null too, no plan is deleted. What killed calls left is deleted
    too: marks that stop ranges and, on a store, objects of killed and lost uploads.

    Returns the number of bytes that were, or with `dry_run` would be, freed. Raises `ConfigError` if the `output_dir`
    `name`, a path or a URL, holds no run or an unfinished one, `OutputInUse` if another run holds the directory.
    """
    with open_directory(name, reads_only=dry_run) as directory:
        freed = _clean(directory, keep, dry_run)
        if not dry_run:
            delete_marks(directory.name)
        left = directory.replica.delete_unlisted(dry_run) if directory.replica else 0
    if left:
        log.info(f"clean: objects that no commit lists: {left:,} bytes")
    return freed + left


def _clean(directory: Directory, keep: int | None, dry_run: bool) -> int:
    root, state = directory.root, read_state(directory.root)
    if not state:
        raise ConfigError(f"{directory.name} holds no run: expected an output_dir with a run.json")
    keep = keep or state.get("configuration", {}).get("retention", {}).get("versions")
    if keep is None:
        log.info("clean: retention.versions is null, so all versions are kept; --versions N keeps the newest N")
        return 0
    with hold_output(root, directory.work):
        versions = adopt_exported(root)
        is_open = (root / OPEN_REFRESH).exists() or state.get("status") in ("running", "stopped")
        if is_open or versions.current is None:
            raise ConfigError(f"{directory.name}: expected a finished version, finish the run or the refresh first")
        kept = [version for version in versions.entries if not version.withdrawn][-keep:]
        return _free(root, directory.work, kept, state, dry_run)


def _free(root: Path, work: Path, kept: list[Version], state: dict[str, Any], dry_run: bool) -> int:
    samples, pairs, grades, stress = sample_store(root), pair_store(root), grade_store(root), stress_store(root)
    plans = {plan for version in kept for plan in version.plans} | ({state["plan"]} if "plan" in state else set())
    pair_plans = {part.pairs for version in kept for part in version.plans.values()}
    freed = 0
    for plan in _others(samples, plans):
        if not dry_run:
            _store_what_was_tried(samples, plan)
        for store in (samples, grades):
            freed += _drop(store, plan, dry_run)
    for plan in _others(pairs, pair_plans):
        freed += _drop(pairs, plan, dry_run)
    stress_sets = {name for plan, name in state.get("stressed", {}).items() if plan in plans}
    for plan in _others(stress, stress_sets):
        freed += _drop(stress, plan, dry_run)
    return freed + _delete_replies(work, plans, dry_run)


def _others(store: ShardStore, plans: set[str]) -> list[str]:
    return [plan for plan in dict.fromkeys(shard.plan for shard in store.shards) if plan not in plans]


def _store_what_was_tried(samples: ShardStore, plan: str) -> None:
    cells, rows = list[int](), list[int]()
    for table in samples.tables([plan], ["id", "cell", "reasons"]):
        for row in table.to_pylist():
            if not is_unanswered(row["reasons"]):
                cells.append(int(row["cell"], 16))
            if accepted_by_filters(row):
                rows.append(int(row["id"], 16))
    write_freed(samples.root, plan, cells, rows)


def _drop(store: ShardStore, plan: str, dry_run: bool) -> int:
    shards = store.of_plan(plan)
    if not shards:
        return 0
    size = sum(shard.bytes for shard in shards)
    log.info(f"clean: {store.folder} of plan {plan[:8]}: {len(shards)} files, {size:,} bytes")
    if not dry_run:
        store.drop(plan)
    return size


def _delete_replies(work: Path, plans: set[str], dry_run: bool) -> int:
    path = work / "journal.sqlite"
    if not path.exists():
        return 0
    journal = Journal(path)
    try:
        replies, size = journal.delete_others(plans, dry_run)
    finally:
        journal.close()
    if replies:
        log.info(f"clean: {path.name}: {replies:,} replies, {size:,} bytes")
    return size
