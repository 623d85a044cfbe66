"""Groups of skills that share a name or an alias."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from skillmill.skill_taxonomy.taxonomy import Skill, canonical


def same_skill_groups(skills: Iterable[Skill]) -> np.ndarray:
    """Return one group number per skill, int64 of shape (n,).

    Two skills have the same number if they share a name or an alias, directly or through other skills.
    """
    names = [{canonical(name) for name in (skill.name, *skill.aliases)} for skill in skills]
    uses = Counter(name for own_names in names for name in own_names)
    if len(uses) == uses.total():
        return np.arange(len(names))
    from scipy.cluster.hierarchy import DisjointSet  # slow to import, and most taxonomies share no name

    groups = DisjointSet(range(len(names)))
    first_with: dict[str, int] = {}
    for i, own_names in enumerate(names):
        for name in own_names:
            groups.merge(i, first_with.setdefault(name, i))
    return np.array([groups[i] for i in range(len(names))], np.int64)
