"""An index from the ids of rows to small numbers, 10 bytes a row."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class RowIndex:
    """Maps row ids (16 hex digits) to numbers below 65,536. All ids are added before the first lookup."""

    def __init__(self) -> None:
        self._parts: list[tuple[NDArray[np.uint64], NDArray[np.uint16]]] = []
        self._sorted: tuple[NDArray[np.uint64], NDArray[np.uint16]] | None = None

    def add(self, ids: Iterable[str], number: int) -> None:
        """Map `ids` to `number`."""
        keys = np.array([int(each, 16) for each in ids], np.uint64)
        self._parts.append((keys, np.full(len(keys), number, np.uint16)))

    def get(self, row: str) -> int | None:
        """Return the number of a row, None if it was not added."""
        if self._sorted is None:
            keys = np.concatenate([np.empty(0, np.uint64), *(keys for keys, _ in self._parts)])
            numbers = np.concatenate([np.empty(0, np.uint16), *(numbers for _, numbers in self._parts)])
            order = np.argsort(keys, kind="stable")
            self._sorted, self._parts = (keys[order], numbers[order]), []
        keys, numbers = self._sorted
        key = np.uint64(int(row, 16))
        place = int(np.searchsorted(keys, key))
        return int(numbers[place]) if place < len(keys) and keys[place] == key else None
