"""The versions of a dataset: one line of `versions.jsonl` for each finished `run` or `refresh` with a new export."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import StoreError
from skillmill.data.files import recover_folder, store_errors, write_atomic
from skillmill.data.store import Shard

VERSIONS = "versions.jsonl"
VERSION_FILE = "version.json"
"""The file in `export/` with the version that the folder holds. It is replaced together with the rows."""


@dataclass(frozen=True, slots=True)
class PlanRange:
    """The rows of one plan that a version exports: those at positions [0, stop), and the pairs of `pairs`.

    `pairs` is the fingerprint of the pairs, see `pairs_plan`. `cells` and `accepted` count the cells.
    """

    stop: int
    cells: int
    accepted: int
    pairs: str

    @classmethod
    def of(cls, shards: Sequence[Shard], pairs: str) -> "PlanRange":
        """Return the range that the shards of a plan hold, in order of position."""
        return cls(
            stop=shards[-1].stop if shards else 0,
            cells=sum(shard.cells for shard in shards),
            accepted=sum(shard.accepted for shard in shards),
            pairs=pairs,
        )


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a dataset.

    `version`: "v1", "v2" and so on. `scheduled_time`: the time that a refresh was scheduled for, in ISO 8601 with UTC
    offset; None for `run`. `plan`: the fingerprint of the plan that its new rows are of. `plans`: the exported part of
    each plan, in the order of the export. `changed`: the configuration keys in which the plan differs from that of the
    version before. `taxonomy`: its fingerprint. `teacher`: its model. `rows_new`, `rows`: `sft` rows that no earlier
    version has, and all `sft` rows. `dropped`: rejected rows among the new cells, by reason. `verdicts_changed`: rows
    of earlier versions that are accepted now and were not, or the reverse. `prompt_tokens`, `completion_tokens`: those
    of the requests for the new rows. `money`: their price without discounts for cached tokens, None without prices;
    `run.json` has the whole cost, with pairs, gradings and requests that were sent twice. `export_sha256`: the checksum
    of the exported rows. `note`: why the version has fewer rows than asked for, "" if it does not. `withdrawn`: a
    reviewer dropped the version, so that no later export has its new rows.
    """

    version: str
    scheduled_time: str | None
    plan: str
    plans: dict[str, PlanRange]
    changed: list[str]
    taxonomy: str
    teacher: str
    rows_new: int
    rows: int
    dropped: dict[str, int]
    verdicts_changed: int
    prompt_tokens: int
    completion_tokens: int
    money: float | None
    export_sha256: str
    note: str = ""
    withdrawn: bool = False

    @classmethod
    def draft(
        cls,
        version: str,
        *,
        plan: str,
        plans: dict[str, PlanRange],
        taxonomy: str,
        teacher: str,
        changed: Sequence[str] = (),
        scheduled_time: str | None = None,
        note: str = "",
    ) -> "Version":
        """Return a version whose counts, price and checksum are not known yet."""
        return cls(
            version=version,
            scheduled_time=scheduled_time,
            plan=plan,
            plans=plans,
            changed=list(changed),
            taxonomy=taxonomy,
            teacher=teacher,
            rows_new=0,
            rows=0,
            dropped={},
            verdicts_changed=0,
            prompt_tokens=0,
            completion_tokens=0,
            money=None,
            export_sha256="",
            note=note,
        )

    @property
    def number(self) -> int:
        """The number of the version, from 1."""
        return int(self.version.removeprefix("v"))


@dataclass(frozen=True, slots=True)
class Versions:
    """The finished versions of an output directory, oldest first."""

    entries: tuple[Version, ...] = field(default=())

    @property
    def last(self) -> Version | None:
        """The newest version, None if there is none."""
        return self.entries[-1] if self.entries else None

    @property
    def current(self) -> Version | None:
        """The newest version that was not withdrawn, None if there is none."""
        return next((each for each in reversed(self.entries) if not each.withdrawn), None)

    @property
    def next_name(self) -> str:
        """The name of the version after the newest one."""
        return f"v{self.last.number + 1 if self.last else 1}"

    def at(self, scheduled_time: str) -> Version | None:
        """Return the version with this scheduled time, None if there is none."""
        return next((each for each in self.entries if each.scheduled_time == scheduled_time), None)


def read_versions(root: Path) -> Versions:
    """Read `versions.jsonl` of an output directory. Raises `StoreError` that names the line if one is damaged."""
    path = root / VERSIONS
    if not path.exists():
        return Versions()
    with store_errors(f"cannot read {path}"):
        lines = path.read_bytes().splitlines()
    return Versions(tuple(_version(line, f"{path} line {number}") for number, line in enumerate(lines, 1)))


def adopt_exported(root: Path) -> Versions:
    """Return the versions; a version that was exported and not recorded, because of a crash, is recorded first."""
    recover_folder(root / "export")
    versions, path = read_versions(root), root / "export" / VERSION_FILE
    if not path.exists():
        return versions
    with store_errors(f"cannot read {path}"):
        exported = _version(path.read_bytes(), str(path))
    if exported.version != versions.next_name:
        return versions
    entries = (*versions.entries, exported)
    write_versions(root, entries)
    return Versions(entries)


def write_versions(root: Path, entries: Sequence[Version]) -> None:
    """Replace `versions.jsonl`. Raises `StoreError`; the previous file is then unchanged."""
    write_atomic(root / VERSIONS, b"".join(orjson.dumps(asdict(each)) + b"\n" for each in entries))


def _version(line: bytes, where: str) -> Version:
    try:
        fields: dict[str, Any] = orjson.loads(line)
        plans = {plan: PlanRange(**part) for plan, part in fields["plans"].items()}
        return Version(**{**fields, "plans": plans})
    except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
        raise StoreError(f"{where} is not a version") from None
