"""How many rows of earlier versions have another verdict now than in the previous export."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq

from skillmill.data.export.row_index import RowIndex
from skillmill.data.records import SampleRow


class ChangedVerdicts:
    """Counts rows whose verdict differs from that in the export in `folder`; none do if there is no such folder."""

    def __init__(self, folder: Path) -> None:
        self.count = 0
        self._known = (folder / "rejected").exists()
        self._rejected = RowIndex()
        for file in sorted((folder / "rejected").glob("*.parquet")):
            self._rejected.add(pq.read_table(file, columns=["id"])["id"].to_pylist(), 1)

    def add(self, rows: Iterable[SampleRow]) -> None:
        """Compare rows that the previous export has."""
        if self._known:
            self.count += sum(
                (self._rejected.get(row["id"]) is not None) != (row["verdict"] == "rejected") for row in rows
            )
