"""Fine labels put together by likeness, so that a teacher has to name a handful of groups instead of a long list."""

from dataclasses import dataclass

import numpy as np

from skillmill.skill_taxonomy.curation.similarity import SkillVectors

DIMENSIONS = 64
"""What n-grams are reduced to: Ward's method wants dense rows."""


@dataclass(frozen=True)
class Clusters:
    """`members` of each cluster, places of labels; for each label the clusters `nearest` to it, its own first."""

    members: list[list[int]]
    nearest: np.ndarray


def cluster(vectors: SkillVectors, wanted: int, seed: int) -> Clusters:
    """At most `wanted` clusters by Ward's method, numbered by their first member; the same on every call.

    Time and memory grow with the square of the labels: 5,000 take 200 MB.
    """
    from sklearn.cluster import AgglomerativeClustering  # a second to import, so only here
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # sums in an order of the threads' own would round differently on the next call
        rows = _dense(vectors.rows, seed)
        if len(rows) <= wanted:
            found = np.arange(len(rows))
        else:
            found = AgglomerativeClustering(wanted, linkage="ward").fit_predict(rows)
        members: dict[int, list[int]] = {}
        for place, number in enumerate(found.tolist()):
            members.setdefault(number, []).append(place)
        centres = np.stack([rows[places].mean(axis=0) for places in members.values()])
        distances = (centres**2).sum(axis=1) - 2 * rows @ centres.T  # squared, less what a row has in all of them
    for number, places in enumerate(members.values()):
        distances[places, number] = -np.inf
    return Clusters(list(members.values()), np.argsort(distances, axis=1, kind="stable"))


def _dense(rows: object, seed: int) -> np.ndarray:
    if not hasattr(rows, "toarray"):
        return np.asarray(rows, np.float64)
    from sklearn.decomposition import TruncatedSVD

    size = min(rows.shape) - 1  # type: ignore[attr-defined]
    if size <= DIMENSIONS:
        return np.asarray(rows.toarray(), np.float64)
    return np.asarray(TruncatedSVD(DIMENSIONS, random_state=seed).fit_transform(rows), np.float64)
