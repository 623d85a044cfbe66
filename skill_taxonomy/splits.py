"""Skills and topics that are held out of training, and how they are chosen.

"Can Models Learn Skill Composition from Examples?" (arXiv 2409.19808, section 2) holds out whole categories of skills
and half of the topics, and evaluates on cells of held-out skills and held-out topics.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Literal

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.same_skills import same_skill_groups
from skillmill.skill_taxonomy.taxonomy import Skill, Split, Taxonomy, Topic, canonical

By = Literal["category", "skill", "topic"]
"""The unit that is held out as a whole."""


def members(taxonomy: Taxonomy, split: Split = "train") -> tuple[list[Skill], list[Topic]]:
    """Return the skills and topics that the cells of a split are drawn from.

    "train" excludes held-out entries, and skills that share a name or an alias with a held-out skill. "validation"
    and "test" use the entries held out for them; if only topics (only skills) are held out, the skills (topics) are
    those for training. Raises `ConfigError` if neither skills nor topics are held out for the split.
    """
    groups = same_skill_groups(taxonomy.skills).tolist()
    held_groups = {group for group, skill in zip(groups, taxonomy.skills, strict=True) if skill.split != "train"}
    skills = [skill for group, skill in zip(groups, taxonomy.skills, strict=True) if group not in held_groups]
    topics = [topic for topic in taxonomy.topics if topic.split == "train"]
    if split == "train":
        return skills, topics
    held_skills = [skill for skill in taxonomy.skills if skill.split == split]
    held_topics = [topic for topic in taxonomy.topics if topic.split == split]
    if not held_skills and not held_topics:
        raise ConfigError(f"taxonomy: nothing is held out for {split}; `skillmill taxonomy split` does it")
    return held_skills or skills, held_topics or topics


def hold_out(
    taxonomy: Taxonomy, by: By, shares: Mapping[Split, float], seed: int, names: Iterable[str] = ()
) -> Taxonomy:
    """Return the taxonomy with more of its skills or topics held out.

    Entries that are already held out stay so and count towards the shares. The order of the random draw of a unit
    depends only on its name and the seed, so that new entries do not change the split of the others. Skills that
    share a name or an alias get the same split.

    Args:
        taxonomy: The taxonomy to split.
        by: The unit that is held out as a whole.
        shares: The target share of all skills (or topics) for each split. A whole category is held out only if that
            brings the share closer to its target, but at least one unit is.
        seed: The seed of the draw.
        names: Units that are held out for the split "test" before the draw.

    Raises `ConfigError` for an unknown name, and if no skill (or topic) would be left for training.
    """
    entries: Sequence[Skill | Topic] = taxonomy.topics if by == "topic" else taxonomy.skills
    units = _units(taxonomy, by)
    splits: list[Split] = [entry.split for entry in entries]
    for name in names:
        for i in _unit_named(units, name, by):
            splits[i] = "test"
    in_draw_order = sorted(units, key=lambda unit: _draw_key(seed, by, unit))
    for split, share in shares.items():
        target = share * len(entries)
        for unit in in_draw_order:
            training = [i for i in units[unit] if splits[i] == "train"]
            count = splits.count(split)
            closer = abs(count + len(training) - target) < abs(count - target)
            if training and target and (closer or not count):
                for i in training:
                    splits[i] = split
    if by != "topic":
        _extend_to_same_skills(taxonomy, splits)
    if "train" not in splits:
        raise ConfigError(f"taxonomy: every {by} would be held out, nothing is left for training")
    key = "topics" if by == "topic" else "skills"
    changed = tuple(
        entry if entry.split == split else entry.model_copy(update={"split": split})
        for entry, split in zip(entries, splits, strict=True)
    )
    return taxonomy.model_copy(update={key: changed})


def _units(taxonomy: Taxonomy, by: By) -> dict[str, list[int]]:
    """Return the positions of the skills or topics of each unit, by the canonical name of the unit."""
    if by == "category":
        names = [canonical(skill.category) for skill in taxonomy.skills]
    else:
        names = [canonical(entry.name) for entry in (taxonomy.topics if by == "topic" else taxonomy.skills)]
    units: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        units.setdefault(name, []).append(i)
    return units


def _unit_named(units: Mapping[str, list[int]], name: str, by: By) -> list[int]:
    """Return the positions of the entries of a unit. Raises `ConfigError` that suggests a similar name."""
    if canonical(name) not in units:
        close = get_close_matches(canonical(name), units, n=1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"--hold {name}: the taxonomy has no such {by}{hint}")
    return units[canonical(name)]


def _extend_to_same_skills(taxonomy: Taxonomy, splits: list[Split]) -> None:
    """Change `splits` so that skills which share a name or an alias with a held-out skill are held out with it.

    A group gets the split "test" if one of its skills has it.
    """
    groups = same_skill_groups(taxonomy.skills).tolist()
    held: dict[int, Split] = {}
    for group, split in zip(groups, splits, strict=True):
        if split != "train" and held.get(group) != "test":
            held[group] = split
    splits[:] = [held.get(group, split) for group, split in zip(groups, splits, strict=True)]


def _draw_key(seed: int, *name: str) -> bytes:
    """Return the sort key that decides the place of a unit in the draw."""
    return hashlib.sha256(repr((seed, *name)).encode()).digest()
