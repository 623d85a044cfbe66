"""The store of shards: the unit of durability.

A shard is written under a hidden name, synced, recorded in `manifest.jsonl` with its checksum, renamed.
A file counts only while its checksum stands in the manifest, so that a crash at any moment leaves either
the old state or the new one. A plan's shards lie end to end over its positions; only the last may hold
fewer cells than asked for, and it is taken up again under the same name: the bytes depend on the cells
that were decided, not on how often the run was stopped.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from skillmill.data.errors import StoreError
from skillmill.data.files import hidden, sha256_of, store_errors, sync, write_whole
from skillmill.data.records import GRADES_SCHEMA, PAIR_SCHEMA, SAMPLE_SCHEMA, STRESS_ANSWER_SCHEMA


@dataclass(frozen=True, slots=True)
class Shard:
    """One line of the manifest. Positions [start, stop) of `plan` are decided; `accepted` counts cells."""

    file: str
    plan: str
    start: int
    stop: int
    cells: int
    rows: int
    accepted: int
    bytes: int
    sha256: str


class ShardStore:
    """The shards of one kind of row under `root`, e.g. `root/shards/part-<plan8>-<start>.parquet`.

    Only the process that holds the run's lock may `recover` or `commit`; anyone may read.
    """

    def __init__(self, root: Path, folder: str, schema: pa.Schema, manifest: str) -> None:
        self.root, self.folder, self.schema = root, folder, schema
        self.manifest = root / manifest
        self.shards: list[Shard] = self._valid(self._lines())

    def of_plan(self, plan: str) -> list[Shard]:
        """The shards of a plan, in order of position."""
        return sorted((shard for shard in self.shards if shard.plan == plan), key=lambda shard: shard.start)

    def at(self, plan: str, start: int) -> Shard | None:
        """The shard of a plan that begins at position `start`."""
        name = self._name(plan, start)
        return next((shard for shard in self.shards if shard.file == name), None)

    def recover(self) -> None:
        """Clear away what a crash left: hidden files and a torn last line of the manifest."""
        with store_errors(f"cannot prepare {self.root / self.folder}"):
            (self.root / self.folder).mkdir(parents=True, exist_ok=True)
            for leftover in (self.root / self.folder).glob(".*.tmp"):
                leftover.unlink()
        self.tidy()
        pa.array([])  # the first one imports pandas, 0.3 s: not in the first commit, while the teacher runs dry

    def commit(self, plan: str, start: int, stop: int, rows: list[dict[str, Any]], cells: int, accepted: int) -> Shard:
        """Make rows durable as the shard of [start, stop). Replaces an earlier, shorter shard of that start."""
        name = self._name(plan, start)
        path = self.root / name
        with store_errors(f"cannot write {path}"):
            temporary = hidden(path)
            pq.write_table(pa.Table.from_pylist(rows, schema=self.schema), temporary, compression="zstd")
            sync(temporary)
            shard = Shard(
                file=name,
                plan=plan,
                start=start,
                stop=stop,
                cells=cells,
                rows=len(rows),
                accepted=accepted,
                bytes=temporary.stat().st_size,
                sha256=sha256_of(temporary),
            )
            # Manifest first: should we die before the rename, the old file still matches its own line.
            with self.manifest.open("ab") as file:
                file.write(_line(shard))
                file.flush()
                sync(self.manifest)
            temporary.replace(path)
            sync(path.parent)
        self.shards = [old for old in self.shards if old.file != name] + [shard]
        return shard

    def drop(self, plan: str) -> None:
        """Take a plan's shards away: out of the manifest first, so that a crash leaves files that count for nothing.

        Called again, it removes what such a crash left.
        """
        self.shards = [shard for shard in self.shards if shard.plan != plan]
        self.tidy()
        with store_errors(f"cannot clear {self.root / self.folder}"):
            for file in (self.root / self.folder).glob(f"part-{plan[:8]}-*.parquet"):
                file.unlink()

    def tidy(self) -> None:
        """Leave one line a shard in the manifest, in order: superseded and torn lines go."""
        plans = dict.fromkeys(shard.plan for shard in self.shards)
        self.shards = [shard for plan in plans for shard in self.of_plan(plan)]
        content = b"".join(map(_line, self.shards))
        with store_errors(f"cannot read {self.manifest}"):
            unchanged = self.manifest.exists() and self.manifest.read_bytes() == content
        if not unchanged:
            write_whole(self.manifest, content)

    def rows(self, shard: Shard, columns: list[str] | None = None) -> pa.Table:
        """The rows of a shard, checked against its checksum. Raises `StoreError` when it was damaged."""
        path = self.root / shard.file
        with store_errors(f"cannot read {path}"):
            if sha256_of(path) != shard.sha256:
                raise StoreError(f"{path} is damaged: its checksum is not the one in {self.manifest.name}")
            return pq.read_table(path, columns=columns, schema=self.schema)

    def tables(self, plans: Iterable[str], columns: list[str] | None = None) -> Iterator[pa.Table]:
        """The rows of whole plans, a table a shard."""
        for plan in plans:
            for shard in self.of_plan(plan):
                yield self.rows(shard, columns)

    def _name(self, plan: str, start: int) -> str:
        return f"{self.folder}/part-{plan[:8]}-{start:012}.parquet"

    def _lines(self) -> list[Shard]:
        if not self.manifest.exists():
            return []
        with store_errors(f"cannot read {self.manifest}"):
            lines = self.manifest.read_bytes().split(b"\n")
        shards = []
        for number, line in enumerate(lines[:-1], 1):  # what follows the last newline is torn or nothing
            try:
                shards.append(Shard(**orjson.loads(line)))
            except (orjson.JSONDecodeError, TypeError):
                raise StoreError(f"{self.manifest} line {number} is not a manifest line") from None
        return shards

    def _valid(self, lines: list[Shard]) -> list[Shard]:
        by_file: dict[str, list[Shard]] = {}
        for shard in lines:
            by_file.setdefault(shard.file, []).append(shard)
        valid = []
        for file, versions in by_file.items():
            found = self._on_disk(self.root / file, versions)
            if found is not None:
                valid.append(found)
            elif any(other.plan == versions[0].plan and other.start > versions[0].start for other in lines):
                # Only the last shard of a plan can be missing for want of a rename.
                raise StoreError(f"{self.root / file} is missing or damaged, but {self.manifest.name} lists it")
        return valid

    def _on_disk(self, path: Path, versions: list[Shard]) -> Shard | None:
        if not path.exists():
            return None
        size = path.stat().st_size
        of_size = [shard for shard in versions if shard.bytes == size]
        if len(versions) == 1:
            return of_size[0] if of_size else None
        checksum = sha256_of(path)
        return next((shard for shard in reversed(of_size) if shard.sha256 == checksum), None)


def sample_store(root: Path) -> ShardStore:
    return ShardStore(root, "shards", SAMPLE_SCHEMA, "manifest.jsonl")


def pair_store(root: Path) -> ShardStore:
    """Pairs and, with a reason, what was dropped."""
    return ShardStore(root, "pairs", PAIR_SCHEMA, "pairs/manifest.jsonl")


def stress_store(root: Path) -> ShardStore:
    """The answers of the stress set."""
    return ShardStore(root, "stress", STRESS_ANSWER_SCHEMA, "stress/manifest.jsonl")


def grade_store(root: Path) -> ShardStore:
    return ShardStore(root, "grades", GRADES_SCHEMA, "grades/manifest.jsonl")


def gradings_of(rows: list[dict[str, Any]], shard: Shard, grades: ShardStore) -> list[dict[str, Any]]:
    """The raw gradings of the rows of a sample shard: they lie in the grade shard of the same start."""
    graded = {row["id"] for row in rows if row["grader"] is not None}
    beside = grades.at(shard.plan, shard.start)
    return [found for found in grades.rows(beside).to_pylist() if found["id"] in graded] if beside else []


def _line(shard: Shard) -> bytes:
    return orjson.dumps(asdict(shard)) + b"\n"
