"""Clusters of similar fine labels, so that a teacher names some clusters instead of merging thousands of labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skillmill.skill_taxonomy.curation.similarity import SkillVectors

DIMENSIONS = 64
"""The number of dimensions to which sparse n-gram vectors are reduced, because Ward's method needs dense rows."""


@dataclass(frozen=True)
class Clusters:
    """Clusters of labels.

    Attributes:
        members: The positions of the labels of each cluster.
        nearest: int64 of shape (labels, clusters): for each label all clusters, its own first, then by distance.
    """

    members: list[list[int]]
    nearest: np.ndarray


def cluster(vectors: SkillVectors, wanted: int, seed: int) -> Clusters:
    """Return at most `wanted` clusters by Ward's method, ordered by their first label; every call gives the same.

    Time and memory are quadratic in the number of labels: 5,000 labels take 200 MB.
    """
    from sklearn.cluster import AgglomerativeClustering  # imported here because it takes a second
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # with several threads the order of sums, and so their rounding, differs between calls
        rows = _dense(vectors.rows, seed)
        if len(rows) <= wanted:
            numbers = np.arange(len(rows))
        else:
            numbers = AgglomerativeClustering(wanted, linkage="ward").fit_predict(rows)
        members: dict[int, list[int]] = {}
        for place, number in enumerate(numbers.tolist()):
            members.setdefault(number, []).append(place)
        centres = np.stack([rows[places].mean(axis=0) for places in members.values()])
        distances = (centres**2).sum(axis=1) - 2 * rows @ centres.T  # squared, up to a constant per row
    for number, places in enumerate(members.values()):
        distances[places, number] = -np.inf
    return Clusters(list(members.values()), np.argsort(distances, axis=1, kind="stable"))


def _dense(rows: Any, seed: int) -> np.ndarray:
    """Return the rows as a dense float64 matrix, of `DIMENSIONS` columns if they are sparse and have more."""
    if not hasattr(rows, "toarray"):
        return np.asarray(rows, np.float64)
    from sklearn.decomposition import TruncatedSVD

    size = min(rows.shape) - 1
    if size <= DIMENSIONS:
        return np.asarray(rows.toarray(), np.float64)
    return np.asarray(TruncatedSVD(DIMENSIONS, random_state=seed).fit_transform(rows), np.float64)
