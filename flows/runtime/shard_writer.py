"""From a stream of decided cells to shards."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

from skillmill.data.store import ShardStore, gradings_of
from skillmill.teachers.middleware.accounting import BudgetMet

Made = TypeVar("Made")


class Committer:
    """The open shard: takes up a plan's last one where it is short, commits it when it is full.

    `stop` is the first position that is not decided yet. `grades` takes the gradings of the rows, in shards of the same
    positions: committed first, so that no graded row is without them; what a kill left of rows that were not
    committed is forgotten.
    """

    def __init__(self, store: ShardStore, plan: str, shard_cells: int, grades: ShardStore | None = None) -> None:
        self._store, self._plan, self._shard_cells, self._grades = store, plan, shard_cells, grades
        self._gradings: list[dict[str, Any]] = []
        self._rows: list[dict[str, Any]] = []
        self._start = self.stop = self._cells = self._accepted = self._committed = 0
        last = next(reversed(store.of_plan(plan)), None)
        if last is None:
            return
        self._start = self.stop = last.stop
        if last.cells < shard_cells:
            self._start, self._cells, self._accepted = last.start, last.cells, last.accepted
            self._committed = last.cells
            self._rows = store.rows(last).to_pylist()
            self._gradings = gradings_of(self._rows, last, grades) if grades else []

    @property
    def full(self) -> bool:
        return self._cells >= self._shard_cells

    def add(
        self, index: int, rows: list[dict[str, Any]], accepted: bool, gradings: Sequence[dict[str, Any]] = ()
    ) -> None:
        """Take in what the cell at position `index` came to; it may be no row at all."""
        if not self._cells:
            self._start = index
        self._rows.extend(rows)
        self._gradings.extend(gradings)
        self._cells += 1
        self._accepted += accepted
        self.stop = index + 1

    def commit(self) -> None:
        """Make the open shard durable, if it holds anything new; a full one is closed."""
        if self._cells > self._committed:
            where = (self._plan, self._start, self.stop)
            if self._grades is not None:
                self._grades.commit(*where, self._gradings, self._cells, self._accepted)
            self._store.commit(*where, self._rows, self._cells, self._accepted)
            self._committed = self._cells
        if self.full:
            self._rows, self._gradings = [], []
            self._cells = self._accepted = self._committed = 0

    async def commit_all(self, results: AsyncIterator[Made], take: Callable[[Made], None]) -> str:
        """`take` each result, commit each full shard, and at the end, whatever it is, what is there.

        Returns the reason of the budget that ended the results, "" where they came to their end.
        """
        try:
            async for made in results:
                take(made)
                if self.full:
                    self.commit()  # in this thread: a Ctrl-C must not meet a commit half way
        except BudgetMet as met:
            return met.reason
        finally:
            self.commit()
        return ""
