"""What is left of a plan whose shards were deleted: its tried cells and kept rows, in `plans/<plan, 8 digits>.parquet`.

So no cell is generated twice, and near-duplicates of the deleted rows are still found by their signatures.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skillmill.data.files import store_errors, sync, temporary_path

if TYPE_CHECKING:
    import pyarrow as pa


def write_freed(root: Path, plan: str, cells: Iterable[int], rows: Iterable[int]) -> None:
    """Store the tried cells and the kept rows of a plan beside those that are stored. Raises `StoreError`."""
    import pyarrow as pa

    from skillmill.data.parquet import write_parquet

    path = _path(root, plan)
    stored_cells, stored_rows = _columns([path]) if path.exists() else (np.empty(0, np.uint64), np.empty(0, np.uint64))
    all_cells = np.union1d(stored_cells, np.fromiter(cells, np.uint64))
    all_rows = np.union1d(stored_rows, np.fromiter(rows, np.uint64))
    table = pa.table(
        {
            "cell": pa.concat_arrays([pa.array(all_cells), pa.nulls(len(all_rows), pa.uint64())]),
            "row": pa.concat_arrays([pa.nulls(len(all_cells), pa.uint64()), pa.array(all_rows)]),
        },
        schema=_schema(),
    )
    with store_errors(f"cannot write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(temporary_path(path), table)
        sync(temporary_path(path))
        temporary_path(path).replace(path)


def freed_cells(root: Path) -> NDArray[np.uint64]:
    """Return the keys of the tried cells of all plans in an output directory whose shards were deleted."""
    return _columns(_files(root))[0]


def freed_rows(root: Path) -> NDArray[np.uint64]:
    """Return the ids of their rows that the filters kept."""
    return _columns(_files(root))[1]


def _files(root: Path) -> list[Path]:
    return sorted((root / "plans").glob("*.parquet"))


def _path(root: Path, plan: str) -> Path:
    return root / "plans" / f"{plan[:8]}.parquet"


def _columns(paths: Sequence[Path]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    if not paths:
        return np.empty(0, np.uint64), np.empty(0, np.uint64)
    import pyarrow as pa  # takes 0.1 s before the first request, and most runs have no such file
    import pyarrow.parquet as pq

    with store_errors("cannot read the plans"):
        table = pa.concat_tables(pq.read_table(path, schema=_schema()) for path in paths)
    cells, rows = (table[name].drop_null().to_numpy() for name in table.column_names)
    return cells, rows


def _schema() -> "pa.Schema":
    """Return the schema of a file. `cell`: the key of a tried cell. `row`: the id of a row that the filters kept.

    A row of the table has one of both.
    """
    import pyarrow as pa

    return pa.schema([("cell", pa.uint64()), ("row", pa.uint64())])
