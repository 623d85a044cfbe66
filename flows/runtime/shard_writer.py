"""Write a stream of decided cells into shards."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Generic, TypeVar

from skillmill.data.records import GradingRow
from skillmill.data.store import ShardStore, gradings_of
from skillmill.teachers.middleware.accounting import BudgetMet

ARROW_AFTER_S = 0.5
"""Seconds until pyarrow is imported: the first requests have been sent by then."""

CellResult = TypeVar("CellResult")
StoredRow = TypeVar("StoredRow", bound=Mapping[str, object])


class ShardWriter(Generic[StoredRow]):
    """The open shard of a plan.

    It continues the plan's last shard if that one is short, and commits the open shard when it is full. `stop` is the
    first position that is not decided yet.

    `grades` stores the gradings of the rows in shards of the same positions. They are committed first, so that no
    graded row is without its gradings; gradings without a row, which a kill can leave, are ignored. `before_commit` is
    called before every commit.
    """

    def __init__(
        self,
        store: ShardStore,
        plan: str,
        shard_cells: int,
        grades: ShardStore | None = None,
        before_commit: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._plan, self._shard_cells, self._grades = store, plan, shard_cells, grades
        self._before_commit = before_commit
        self._gradings: list[GradingRow] = []
        self._rows: list[StoredRow] = []
        self._start = self.stop = self._cells = self._accepted = self._committed = 0
        last = next(reversed(store.of_plan(plan)), None)
        if last is None:
            return
        self._start = self.stop = last.stop
        if last.cells < shard_cells:
            self._start, self._cells, self._accepted = last.start, last.cells, last.accepted
            self._committed = last.cells
            stored: list[Any] = store.rows(last).to_pylist()
            self._rows = stored
            self._gradings = gradings_of(stored, last, grades) if grades else []

    @property
    def full(self) -> bool:
        """Whether the open shard has as many cells as a shard holds."""
        return self._cells >= self._shard_cells

    def add(self, index: int, rows: list[StoredRow], accepted: bool, gradings: Sequence[GradingRow] = ()) -> None:
        """Add the rows, possibly none, of the cell at position `index`."""
        if not self._cells:
            self._start = index
        self._rows.extend(rows)
        self._gradings.extend(gradings)
        self._cells += 1
        self._accepted += accepted
        self.stop = index + 1

    def commit(self) -> None:
        """Make the open shard durable if it holds new cells, and close it if it is full."""
        if self._cells > self._committed:
            self._before_commit()
            where = (self._plan, self._start, self.stop)
            if self._grades is not None:
                self._grades.commit(*where, self._gradings, self._cells, self._accepted)
            self._store.commit(*where, self._rows, self._cells, self._accepted)
            self._committed = self._cells
        if self.full:
            self._rows, self._gradings = [], []
            self._cells = self._accepted = self._committed = 0

    async def commit_all(self, results: AsyncGenerator[CellResult, None], add: Callable[[CellResult], None]) -> str:
        """Call `add` for each result, commit each full shard, and commit what is left however the results end.

        Returns the reason of the budget that ended the results, or "" if they came to their end.
        """
        preparing = asyncio.create_task(_prepare_arrow())
        try:
            async with aclosing(results):
                async for result in results:
                    add(result)
                    if self.full:
                        self.commit()  # in this thread, so that Ctrl-C cannot interrupt a commit
        except BudgetMet as met:
            return met.reason
        finally:
            preparing.cancel()
            self.commit()
        return ""


async def _prepare_arrow() -> None:
    """Import pyarrow, and pandas as its first conversion of rows does (0.3 s), while requests wait for answers.

    Otherwise the first commit would do it, during which no request is sent.
    """
    await asyncio.sleep(ARROW_AFTER_S)
    await asyncio.to_thread(_import_arrow)


def _import_arrow() -> None:
    import pyarrow as pa

    pa.array([])
