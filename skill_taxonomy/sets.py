"""Disjoint sets (union–find): what is the same as what, by way of any number of others."""


class DisjointSets:
    """The numbers 0 … n - 1, each at first in a set of its own."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def root(self, i: int) -> int:
        """The number that stands for the set of `i`."""
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i

    def join(self, i: int, j: int) -> bool:
        """Make one set of two; False where they are one already."""
        i, j = self.root(i), self.root(j)
        self._parent[i] = j
        return i != j

    def roots(self) -> list[int]:
        return [self.root(i) for i in range(len(self._parent))]
