"""The column `signals` of exported rows: a struct with a field per signal, because `datasets` has no map type.

The files of a version have the signals of this version and of those before it. So a signal that is new does not change
older files; `datasets` fills it with null there.
"""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from skillmill.data.export.editions import Editions
from skillmill.data.schemas import SAMPLE_SCHEMA
from skillmill.data.store import Shard, ShardStore

SIGNALS = "signals"


class SignalColumns:
    """The names of the signals by the number of the version in which they appear first."""

    def __init__(self) -> None:
        self._names: dict[int, set[str]] = {}

    def add(self, version: int, names: Iterable[str]) -> None:
        """Add the names of signals in rows of a version."""
        self._names.setdefault(version, set()).update(names)

    def names(self, version: int) -> list[str]:
        """Return the names of the signals in the files of a version, sorted.

        Parquet has no struct without fields: if the first rows have no signals, there is the field `words`.
        """
        first = min(self._names, default=version)
        known = {name for number, names in self._names.items() if number <= version for name in names}
        return sorted(known | (set() if self._names.get(first) else {"words"}))

    def schema(self, version: int) -> pa.Schema:
        """Return the schema of exported sample rows of a version."""
        struct = pa.struct([(name, pa.float64()) for name in self.names(version)])
        return SAMPLE_SCHEMA.set(SAMPLE_SCHEMA.get_field_index(SIGNALS), pa.field(SIGNALS, struct))


def signal_columns(samples: ShardStore, shards: Iterable[Shard], editions: Editions) -> SignalColumns:
    """Verify shards and return the names of their signals. Raises `StoreError` if a shard is damaged."""
    columns = SignalColumns()
    for shard in shards:
        table = samples.rows(shard, ["index", SIGNALS])
        versions = [editions.of(shard.plan, index) for index in table["index"].to_pylist()]
        for version in dict.fromkeys(each for each in versions if each is not None):
            of_version = table[SIGNALS].filter(pa.array([each == version for each in versions]))
            columns.add(version, pc.unique(of_version.combine_chunks().keys).to_pylist())
    return columns
