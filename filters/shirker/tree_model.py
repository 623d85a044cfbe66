"""Sums of small decision trees over the features: the log-odds are a constant plus one number of each tree.

The trees are trained by LightGBM and stored as plain numbers. They are evaluated here and not by LightGBM, so that only
`skillmill filters calibrate` needs it: it takes 10 MB, a system library (libgomp), and a second to import.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skillmill.data.text.tokens import Numbers
from skillmill.filters.shirker.features.all_features import FEATURES
from skillmill.filters.shirker.features.word_arrays import Floats

MAX_LOG_ODDS = 30.0


@dataclass(frozen=True, slots=True)
class Tree:
    """A decision tree. Node 0 is the root.

    Attributes:
        features: for each node the name of the feature that it compares, "" for a leaf.
        thresholds: for each node the largest value that goes to the left, 0 for a leaf.
        left: for each node the number of its left child, 0 for a leaf.
        right: for each node the number of its right child, 0 for a leaf.
        values: for each node the mean of the leaves under it over the training rows; that of a leaf is what the tree
            adds to the log-odds.
    """

    features: list[str]
    thresholds: list[float]
    left: list[int]
    right: list[int]
    values: list[float]

    def paths(self) -> list[list[tuple[int, bool]]]:
        """Return for each leaf, in order of its number, the inner nodes above it and whether it is on their left."""
        found: dict[int, list[tuple[int, bool]]] = {}
        waiting: list[tuple[int, list[tuple[int, bool]]]] = [(0, [])]
        while waiting:
            node, path = waiting.pop()
            if self.features[node]:
                waiting += [(self.left[node], [*path, (node, True)]), (self.right[node], [*path, (node, False)])]
            else:
                found[node] = path
        return [found[node] for node in sorted(found)]

    @property
    def leaves(self) -> list[int]:
        """The numbers of the leaves."""
        return [node for node, name in enumerate(self.features) if not name]


class _TreeArrays(NamedTuple):
    """The trees of a model as arrays; trees with fewer nodes than others are filled up.

    Attributes:
        columns: intp (trees * inner nodes,); the index in `FEATURES` of the feature that each inner node compares.
        thresholds: float64 (trees * inner nodes,).
        paths: float32 (trees, inner nodes, leaves); 1 if the leaf is on the left of the node, -1 if on its right,
            otherwise 0.
        lefts: float32 (trees, 1, leaves); how many nodes the leaf is on the left of. The rows' comparisons (1 for left)
            times `paths` reach this number at one leaf of each tree only.
        values: float64 (trees * leaves,); what each leaf adds to the log-odds.
    """

    columns: Numbers
    thresholds: Floats
    paths: NDArray[np.float32]
    lefts: NDArray[np.float32]
    values: Floats


@dataclass(frozen=True)
class TreeModel:
    """A sum of trees over `FEATURES`: its log-odds are `intercept` plus the value of one leaf of each tree."""

    intercept: float
    trees: list[Tree]

    @cached_property
    def _arrays(self) -> _TreeArrays:
        most = max((len(tree.leaves) for tree in self.trees), default=1)
        shape = len(self.trees), max(most - 1, 1), most
        columns, thresholds = np.zeros(shape[:2], np.intp), np.zeros(shape[:2])
        paths, lefts = np.zeros(shape, np.float32), np.full((shape[0], 1, most), -1, np.float32)
        values = np.zeros((shape[0], most))
        for number, tree in enumerate(self.trees):
            place = {node: at for at, node in enumerate(at for at, name in enumerate(tree.features) if name)}
            for node, at in place.items():
                columns[number, at] = FEATURES.index(tree.features[node])
                thresholds[number, at] = tree.thresholds[node]
            for leaf, (node, path) in enumerate(zip(tree.leaves, tree.paths(), strict=True)):
                values[number, leaf] = tree.values[node]
                lefts[number, 0, leaf] = sum(left for _, left in path)
                for above, left in path:
                    paths[number, place[above], leaf] = 1 if left else -1
        # A place without a leaf has no path, so that its sum is 0 and never -1.
        return _TreeArrays(columns.ravel(), thresholds.ravel(), paths, lefts, values.ravel())

    def _reached(self, features: Floats) -> NDArray[np.bool_]:
        """Return which leaf of each tree each row reaches, bool (trees, rows, leaves)."""
        arrays = self._arrays
        trees, inner, _ = arrays.paths.shape
        is_left = (features.take(arrays.columns, axis=1) <= arrays.thresholds).astype(np.float32)
        by_tree = is_left.reshape(-1, trees, inner).transpose(1, 0, 2)  # (trees, rows, inner nodes)
        reached: NDArray[np.bool_] = by_tree @ arrays.paths == arrays.lefts
        return reached

    def log_odds(self, features: Floats) -> Floats:
        """Return the log-odds of each row of `FEATURES`, float64 (rows,)."""
        if not self.trees:
            return np.full(len(features), self.intercept)
        values = self._arrays.values.reshape(len(self.trees), -1, 1)
        of_trees = self._reached(features) @ values
        # A running sum adds the trees one after another, so that a row has the same bits alone and among others.
        sums: Floats = self.intercept + of_trees.cumsum(axis=0)[-1, :, 0]
        return sums

    def probability(self, features: Floats) -> Floats:
        """Return the probability of each row of `FEATURES`, 0..1, float64 (rows,)."""
        probability: Floats = 1 / (1 + np.exp(-np.clip(self.log_odds(features), -MAX_LOG_ODDS, MAX_LOG_ODDS)))
        return probability

    @cached_property
    def _of_leaves(self) -> NDArray[np.float32]:
        """What each feature contributes to the value of each leaf, float32 (trees * leaves, FEATURES).

        On the way from the root to the leaf, the change of the value at each node is the contribution of the feature
        that the node compares.
        """
        most = self._arrays.paths.shape[2]
        table = np.zeros((len(self.trees), most, len(FEATURES)), np.float32)
        for number, tree in enumerate(self.trees):
            for leaf, (node, path) in enumerate(zip(tree.leaves, tree.paths(), strict=True)):
                below = [*(above for above, _ in path[1:]), node]
                for (above, _), child in zip(path, below, strict=True):
                    column = FEATURES.index(tree.features[above])
                    table[number, leaf, column] += tree.values[child] - tree.values[above]
        return table.reshape(-1, len(FEATURES))

    def contributions(self, features: Floats) -> Floats:
        """Return what each feature adds to the log-odds of each row, float64 (rows, FEATURES).

        The log-odds are these plus `intercept` plus the values of the roots.
        """
        if not self.trees:
            return np.zeros((len(features), len(FEATURES)))
        reached = self._reached(features).transpose(1, 0, 2).reshape(len(features), len(self._of_leaves))
        return (reached.astype(np.float32) @ self._of_leaves).astype(np.float64)

    def as_stored(self) -> dict[str, Any]:
        """Return the model as plain data.

        Each tree is a list of nodes; a node is [feature, threshold, left, right, value] or, for a leaf, [value].
        """
        return {"intercept": self.intercept, "trees": [_stored_nodes(tree) for tree in self.trees]}

    @classmethod
    def of_stored(cls, stored: dict[str, Any]) -> "TreeModel":
        """Return the model of plain data. Raises `ValueError`, `KeyError` or `TypeError` if it is none."""
        return cls(float(stored["intercept"]), [_tree(nodes) for nodes in stored["trees"]])


def _stored_nodes(tree: Tree) -> list[list[str | float]]:
    columns = zip(tree.features, tree.thresholds, tree.left, tree.right, tree.values, strict=True)
    return [list(node) if node[0] else [node[-1]] for node in columns]


def _tree(nodes: Sequence[Sequence[Any]]) -> Tree:
    """Return the tree of its stored nodes. Children come after their parents, so that a tree has no cycle."""
    whole = [tuple(node) if len(node) == 5 else ("", 0.0, 0, 0, *node) for node in nodes]
    features, thresholds, left, right, values = (list(column) for column in zip(*whole, strict=True))
    for number, (name, one, other) in enumerate(zip(features, left, right, strict=True)):
        if name and not (number < one < len(nodes) and number < other < len(nodes) and name in FEATURES):
            raise ValueError("a tree with an unknown feature or child")
    return Tree(features, list(map(float, thresholds)), left, right, list(map(float, values)))
