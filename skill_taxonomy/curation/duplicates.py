"""Which entries of a taxonomy are one and the same: by spelling, by endings, by head words, by meaning."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skillmill.skill_taxonomy.curation.similarity import Vectors
from skillmill.skill_taxonomy.names import head_words, word_stems
from skillmill.skill_taxonomy.sets import DisjointSets
from skillmill.skill_taxonomy.taxonomy import Entry, canonical

_BLOCK = 256  # rows compared with all others at once: some 5 MB for 5,000 skills

WHY: dict[str, Callable[[Entry], Iterable[Hashable]]] = {
    "same name": lambda entry: [canonical(entry.name)],
    "alias": lambda entry: [canonical(name) for name in (entry.name, *getattr(entry, "aliases", ()))],
    "inflected": lambda entry: [tuple(word_stems(entry.name))],
    "head word": lambda entry: [tuple(sorted(head_words(entry.name)))],
}
"""Two entries are one where any of these forms is the same, from the surest reason to the least sure."""

SIMILAR = "similar"


@dataclass(frozen=True, slots=True)
class Group:
    """Places of entries that are one, the one to keep first; `similarity` is the least of any to the first."""

    places: tuple[int, ...]
    why: str
    similarity: float | None = None


def duplicates(entries: Sequence[Entry], vectors: Vectors | None = None, threshold: float | None = None) -> list[Group]:
    """Groups in the order of the file. With `vectors`, one a entry, those above the threshold are one, too.

    Kept is the name of the fewest words, of those the first: "conflict resolution", not "conflict resolution skills".
    """
    sets = DisjointSets(len(entries))
    whys: dict[int, list[str]] = {}  # by place: why it was joined to another
    for why, forms in WHY.items():
        owner: dict[Hashable, int] = {}
        for place, entry in enumerate(entries):
            for form in forms(entry):
                if sets.join(place, owner.setdefault(form, place)):
                    whys.setdefault(place, []).append(why)
    alike: dict[int, float] = {}
    if vectors is not None:
        limit = vectors.threshold if threshold is None else threshold
        for leader, place, similarity in _similar(entries, sets.roots(), vectors.rows, limit):
            sets.join(place, leader)
            whys.setdefault(place, []).append(SIMILAR)
            alike[place] = similarity
    groups: dict[int, list[int]] = {}
    for place, root in enumerate(sets.roots()):
        groups.setdefault(root, []).append(place)
    return [
        Group(
            places=tuple(sorted(places, key=_preference(entries))),
            why=", ".join(why for why in (*WHY, SIMILAR) if any(why in whys.get(place, []) for place in places)),
            similarity=min((alike[place] for place in places if place in alike), default=None),
        )
        for places in groups.values()
        if len(places) > 1
    ]


def _similar(
    entries: Sequence[Entry], roots: Sequence[int], rows: Any, threshold: float
) -> Iterator[tuple[int, int, float]]:
    """Each place that is alike to a preferred one, with that one and how much.

    Nothing is alike by way of a third: a chain of small steps can join anything. Of a group that names already
    make, the preferred entry stands for all. Memory: one block of rows against all.
    """
    preferred: dict[int, int] = {}
    for place in sorted(range(len(entries)), key=_preference(entries)):
        preferred.setdefault(roots[place], place)
    order = np.array(list(preferred.values()))
    rows = rows[order]
    taken = np.zeros(len(order), bool)
    for start in range(0, len(order), _BLOCK):
        block = rows[start : start + _BLOCK] @ rows[start:].T
        block = block.toarray() if hasattr(block, "toarray") else block
        for i in range(len(block)):
            if taken[start + i]:
                continue
            later = start + np.nonzero(block[i] >= threshold)[0]
            for j in later[(later > start + i) & ~taken[later]].tolist():
                taken[j] = True
                yield int(order[start + i]), int(order[j]), float(block[i, j - start])


def _preference(entries: Sequence[Entry]) -> Callable[[int], tuple[int, int]]:
    return lambda place: (len(canonical(entries[place].name).split()), place)
