"""The store of shards: Parquet files that each hold the rows of consecutive cells of one plan.

A plan numbers its cells; the number of a cell is its position. A shard holds the rows of the cells at positions
[start, stop). The shards of a plan do not overlap, and only the last one may have fewer cells than a full shard. When a
run continues, it replaces that last shard by a longer one with the same file name. The bytes of a shard depend on its
cells alone, not on how often the run was interrupted.

The manifest is a JSON Lines file with one entry per shard, including the checksum of the shard's file. A file without a
matching entry is ignored. `commit` writes the shard to a temporary path, appends its entry to the manifest and renames
the file, so that a crash at any point leaves either the old shard or the new one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from skillmill.data.errors import StoreError
from skillmill.data.files import sha256_of, store_errors, sync, temporary_path, write_atomic
from skillmill.data.records import GradingRow, SampleRow

if TYPE_CHECKING:
    import pyarrow as pa

MANIFESTS = {name: f"{name}/manifest.jsonl" for name in ("pairs", "grades", "stress")} | {"shards": "manifest.jsonl"}
"""The manifest of each folder of shards, by its path in an output directory."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The manifest entry of one shard, with the rows of the cells of `plan` at positions [start, stop).

    `file`: path below the root of the store. `cells`, `rows`: how many cells and rows the shard has; a cell can have
    no row. `accepted`: how many of the cells count as successful, e.g. have an accepted row. `bytes` and `sha256`: size
    and checksum of the file.
    """

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
    """The shards of one kind of row, in files such as `root/shards/part-<plan, 8 digits>-<start>.parquet`.

    `shards` lists the entries whose files are present. Only the process that holds the lock of the run may change the
    store (`recover`, `commit`, `drop`, `tidy`); any process may read it. `after_commit` is called after each commit.
    `schema` is the Arrow schema of its rows, by default the one in `schemas.STORED`.

    pyarrow is imported when rows are read or written: it takes 0.1 s, and the first requests of a run need none.

    Raises `StoreError` if the manifest is unreadable or a file other than a plan's last one is missing.
    """

    def __init__(self, root: Path, folder: str, schema: "pa.Schema | None" = None) -> None:
        self.root, self.folder, self._schema = root, folder, schema
        self.manifest = root / MANIFESTS[folder]
        self.after_commit: Callable[[], None] = lambda: None
        self._verified: set[Shard] = set()
        self.shards: list[Shard] = self._present(self._read_manifest())

    @property
    def schema(self) -> "pa.Schema":
        """The Arrow schema of the rows."""
        if self._schema is None:
            from skillmill.data.schemas import STORED

            self._schema = STORED[self.folder]
        return self._schema

    def of_plan(self, plan: str) -> list[Shard]:
        """Return the shards of a plan, in order of position."""
        return sorted((shard for shard in self.shards if shard.plan == plan), key=lambda shard: shard.start)

    def at(self, plan: str, start: int) -> Shard | None:
        """Return the shard of a plan that begins at position `start`, None if there is none."""
        name = self._file_name(plan, start)
        return next((shard for shard in self.shards if shard.file == name), None)

    def recover(self) -> None:
        """Create the folder, and delete the temporary files and manifest lines that a crash may have left."""
        with store_errors(f"cannot prepare {self.root / self.folder}"):
            (self.root / self.folder).mkdir(parents=True, exist_ok=True)
            for leftover in (self.root / self.folder).glob(".*.tmp"):
                leftover.unlink()
        self.tidy()

    def commit(
        self, plan: str, start: int, stop: int, rows: Sequence[Mapping[str, object]], cells: int, accepted: int
    ) -> Shard:
        """Store rows as the shard of positions [start, stop); an earlier shard with the same start is replaced.

        Raises `StoreError`; the earlier shard is then unchanged.
        """
        import pyarrow as pa

        from skillmill.data.parquet import write_parquet

        name = self._file_name(plan, start)
        path = self.root / name
        with store_errors(f"cannot write {path}"):
            temporary = temporary_path(path)
            write_parquet(temporary, pa.Table.from_pylist(rows, schema=self.schema))
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
            # The manifest is written before the rename: after a crash in between, the old file matches its old entry.
            with self.manifest.open("ab") as file:
                file.write(manifest_line(shard))
                file.flush()
                sync(self.manifest)
            temporary.replace(path)
            sync(path.parent)
        self.shards = [old for old in self.shards if old.file != name] + [shard]
        self.after_commit()
        return shard

    def drop(self, plan: str) -> None:
        """Delete the shards of a plan. After a crash in between, a second call deletes the files that are left.

        The manifest entries are removed first, so that such files are ignored.
        """
        self.shards = [shard for shard in self.shards if shard.plan != plan]
        self.tidy()
        with store_errors(f"cannot clear {self.root / self.folder}"):
            for file in (self.root / self.folder).glob(f"part-{plan[:8]}-*.parquet"):
                file.unlink()

    def tidy(self) -> None:
        """Rewrite the manifest with one line per shard, ordered by position, without replaced or incomplete lines."""
        plans = dict.fromkeys(shard.plan for shard in self.shards)
        self.shards = [shard for plan in plans for shard in self.of_plan(plan)]
        content = b"".join(map(manifest_line, self.shards))
        with store_errors(f"cannot read {self.manifest}"):
            unchanged = self.manifest.exists() and self.manifest.read_bytes() == content
        if not unchanged:
            write_atomic(self.manifest, content)

    def verify(self, shard: Shard) -> None:
        """Raise `StoreError` if the file of a shard does not have the checksum of its manifest entry.

        A store hashes each file once.
        """
        if shard in self._verified:
            return
        path = self.root / shard.file
        with store_errors(f"cannot read {path}"):
            if sha256_of(path) != shard.sha256:
                raise StoreError(f"{path} is damaged: its checksum is not the one in {self.manifest.name}")
        self._verified.add(shard)

    def read_unverified(self, shard: Shard, columns: list[str] | None = None) -> "pa.Table":
        """Return the rows of a shard, or some columns of them, for a caller that has verified the shard before."""
        import pyarrow.parquet as pq

        path = self.root / shard.file
        with store_errors(f"cannot read {path}"):
            return pq.read_table(path, columns=columns, schema=self.schema)

    def rows(self, shard: Shard, columns: list[str] | None = None) -> "pa.Table":
        """Verify a shard and return its rows, or some columns of them. Raises `StoreError` if it is damaged."""
        self.verify(shard)
        return self.read_unverified(shard, columns)

    def tables(self, plans: Iterable[str], columns: list[str] | None = None) -> Iterator["pa.Table"]:
        """Yield the rows of whole plans, one table per shard. Raises `StoreError` if a shard is damaged."""
        for plan in plans:
            for shard in self.of_plan(plan):
                yield self.rows(shard, columns)

    def _file_name(self, plan: str, start: int) -> str:
        return f"{self.folder}/part-{plan[:8]}-{start:012}.parquet"

    def _read_manifest(self) -> list[Shard]:
        if not self.manifest.exists():
            return []
        with store_errors(f"cannot read {self.manifest}"):
            lines = self.manifest.read_bytes().split(b"\n")
        entries = []
        for number, line in enumerate(lines[:-1], 1):  # after the last newline there is nothing or an incomplete line
            try:
                entries.append(Shard(**orjson.loads(line)))
            except (orjson.JSONDecodeError, TypeError):
                raise StoreError(f"{self.manifest} line {number} is not a manifest line") from None
        return entries

    def _present(self, entries: list[Shard]) -> list[Shard]:
        """Return for each file the entry that matches it. Raises `StoreError` if a file is missing or damaged."""
        by_file: dict[str, list[Shard]] = {}
        for entry in entries:
            by_file.setdefault(entry.file, []).append(entry)
        present = []
        for file, candidates in by_file.items():
            shard = self._matching_entry(self.root / file, candidates)
            if shard is not None:
                present.append(shard)
            elif any(other.plan == candidates[0].plan and other.start > candidates[0].start for other in entries):
                # A crash before the rename can only cost the last shard of a plan.
                raise StoreError(f"{self.root / file} is missing or damaged, but {self.manifest.name} lists it")
        return present

    def _matching_entry(self, path: Path, candidates: list[Shard]) -> Shard | None:
        """Return the entry that describes the file as it is. A sole candidate is compared by size, others by checksum.

        `verify` compares the checksum of a sole candidate when the shard is read.
        """
        if not path.exists():
            return None
        size = path.stat().st_size
        same_size = [shard for shard in candidates if shard.bytes == size]
        if len(candidates) == 1:
            return same_size[0] if same_size else None
        checksum = sha256_of(path)
        return next((shard for shard in reversed(same_size) if shard.sha256 == checksum), None)


def sample_store(root: Path) -> ShardStore:
    """Open the store of sample rows (`SampleRow`) in an output directory."""
    return ShardStore(root, "shards")


def pair_store(root: Path) -> ShardStore:
    """Open the store of preference pairs (`PairRow`), including the dropped ones, in an output directory."""
    return ShardStore(root, "pairs")


def stress_store(root: Path) -> ShardStore:
    """Open the store of the answers of stress sets (`StressAnswerRow`) in an output directory."""
    return ShardStore(root, "stress")


def grade_store(root: Path) -> ShardStore:
    """Open the store of raw gradings (`GradingRow`) in an output directory."""
    return ShardStore(root, "grades")


def all_stores(root: Path) -> tuple[ShardStore, ...]:
    """Open the stores of all kinds of rows in an output directory."""
    return sample_store(root), pair_store(root), grade_store(root), stress_store(root)


def gradings_of(rows: Iterable[SampleRow], shard: Shard, grades: ShardStore) -> list[GradingRow]:
    """Return the gradings of the rows of a sample shard, from the grade shard with the same plan and start.

    Gradings of rows without a grader are left out: a crash between the two commits can leave some.
    """
    graded = {row["id"] for row in rows if row["grader"] is not None}
    grade_shard = grades.at(shard.plan, shard.start)
    if grade_shard is None:
        return []
    return [grading for grading in grades.rows(grade_shard).to_pylist() if grading["id"] in graded]


def manifest_line(shard: Shard) -> bytes:
    """Return the line of a shard in its manifest."""
    return orjson.dumps(asdict(shard)) + b"\n"
