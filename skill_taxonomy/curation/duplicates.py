"""Duplicate entries of a taxonomy, found by name, alias, stems, head words and similarity."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skillmill.skill_taxonomy.curation.similarity import SkillVectors
from skillmill.skill_taxonomy.names import head_words, word_stems
from skillmill.skill_taxonomy.taxonomy import Entry, canonical

_BLOCK = 256  # rows compared with all others at once: some 5 MB for 5,000 skills

NAME_FORMS: dict[str, Callable[[Entry], Iterable[Hashable]]] = {
    "same name": lambda entry: [canonical(entry.name)],
    "alias": lambda entry: [canonical(name) for name in (entry.name, *getattr(entry, "aliases", ()))],
    "inflected": lambda entry: [tuple(word_stems(entry.name))],
    "head word": lambda entry: [tuple(sorted(head_words(entry.name)))],
}
"""Forms of an entry's name, from the strictest to the loosest. Entries that share a form are duplicates."""

SIMILAR = "similar"
"""The value of `Group.why` for entries whose vectors are similar."""


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that are duplicates of each other.

    Attributes:
        places: The positions of the entries in their list; the first is that of the entry to keep.
        why: The forms (keys of `NAME_FORMS`, or `SIMILAR`) that the entries share, separated by ", ".
        similarity: The least similarity of a similar entry to the one to keep; None if all share a form of the name.
    """

    places: tuple[int, ...]
    why: str
    similarity: float | None = None


def find_duplicates(
    entries: Sequence[Entry], vectors: SkillVectors | None = None, threshold: float | None = None
) -> list[Group]:
    """Return the groups of duplicates, in the order of the entries.

    The entry to keep has the fewest words in its name; among equals it is the first.

    Args:
        entries: The entries of one list of a taxonomy.
        vectors: One vector per entry. Entries whose similarity reaches the threshold are duplicates too.
        threshold: The least similarity; None for the default of the vectors.
    """
    links = list(_shared_forms(entries))
    if not links and vectors is None:
        return []
    from scipy.cluster.hierarchy import DisjointSet  # slow to import, and most taxonomies have no duplicates

    groups = DisjointSet(range(len(entries)))
    reasons: dict[int, list[str]] = {}
    for place, first, form in links:
        if groups.merge(place, first):
            reasons.setdefault(place, []).append(form)
    similarities: dict[int, float] = {}
    if vectors is not None:
        limit = vectors.threshold if threshold is None else threshold
        roots = [groups[place] for place in range(len(entries))]
        for kept, place, similarity in _similar(entries, roots, vectors.rows, limit):
            groups.merge(place, kept)
            reasons.setdefault(place, []).append(SIMILAR)
            similarities[place] = similarity
    members: dict[int, list[int]] = {}
    for place in range(len(entries)):
        members.setdefault(groups[place], []).append(place)
    return [
        Group(
            places=tuple(sorted(places, key=_preference(entries))),
            why=", ".join(
                why for why in (*NAME_FORMS, SIMILAR) if any(why in reasons.get(place, []) for place in places)
            ),
            similarity=min((similarities[place] for place in places if place in similarities), default=None),
        )
        for places in members.values()
        if len(places) > 1
    ]


def _shared_forms(entries: Sequence[Entry]) -> Iterator[tuple[int, int, str]]:
    """Yield each entry that shares a form of its name with an earlier one: its place, the first place, the form."""
    for why, forms in NAME_FORMS.items():
        first_with: dict[Hashable, int] = {}
        for place, entry in enumerate(entries):
            for form in forms(entry):
                first = first_with.setdefault(form, place)
                if first != place:
                    yield place, first, why


def _similar(
    entries: Sequence[Entry], roots: Sequence[int], rows: Any, threshold: float
) -> Iterator[tuple[int, int, float]]:
    """Yield pairs of similar entries: the place to keep, the similar place, and the similarity.

    Similarity is not transitive here, because a chain of similar entries can join very different ones. Of entries
    with the same root only the preferred one is compared. `rows` is a dense or sparse matrix of unit vectors, of
    shape (entries, size); one block of rows at a time is multiplied with the others.
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
    """Return the sort key of places that puts the entry to keep first."""
    return lambda place: (len(canonical(entries[place].name).split()), place)
