"""Skills and topics held out of training: which they are, and how they are chosen.

*Can Models Learn Skill Composition from Examples?* (arXiv 2409.19808, §2) holds out whole categories of skills
and half of the topics, and measures on cells of held-out skills and held-out topics.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Literal

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.draw.thinning import same_skills
from skillmill.skill_taxonomy.taxonomy import Skill, Split, Taxonomy, Topic, canonical

By = Literal["category", "skill", "topic"]


def members(taxonomy: Taxonomy, split: Split = "train") -> tuple[list[Skill], list[Topic]]:
    """The skills and topics that the cells of a split are made of.

    Training leaves out what is held out, and skills that share a name or an alias with such a one. A test or
    validation split takes the training skills (or topics) where only topics (or skills) are held out for it.
    Raises `ConfigError` where nothing at all is held out for the split.
    """
    same = same_skills(taxonomy.skills).tolist()
    held = {group for group, skill in zip(same, taxonomy.skills, strict=True) if skill.split != "train"}
    skills = [skill for group, skill in zip(same, taxonomy.skills, strict=True) if group not in held]
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
    """The taxonomy with more of it held out: `names` for testing, then a seeded draw up to each split's share.

    `names` are categories, skills or topics, as `by` says; shares are of all skills or topics. What is held out
    already stays so and counts; whole categories are taken only where they bring a share closer, but one at least.
    A unit's place in the draw depends on its own name and the seed alone. Skills that share a name or an alias go
    together. Raises `ConfigError` for an unknown name or where nothing would be left for training.
    """
    entries: Sequence[Skill | Topic] = taxonomy.topics if by == "topic" else taxonomy.skills
    units = _units(taxonomy, by)
    splits: list[Split] = [entry.split for entry in entries]
    for name in names:
        for i in _named(units, name, by):
            splits[i] = "test"
    drawn = sorted(units, key=lambda unit: _draw(seed, by, unit))
    for split, share in shares.items():
        wanted = share * len(entries)
        for unit in drawn:
            training = [i for i in units[unit] if splits[i] == "train"]
            have = splits.count(split)
            closer = abs(have + len(training) - wanted) < abs(have - wanted)
            if training and wanted and (closer or not have):
                for i in training:
                    splits[i] = split
    if by != "topic":
        _together(taxonomy, splits)
    if "train" not in splits:
        raise ConfigError(f"taxonomy: every {by} would be held out, nothing is left for training")
    key = "topics" if by == "topic" else "skills"
    changed = tuple(
        entry if entry.split == split else entry.model_copy(update={"split": split})
        for entry, split in zip(entries, splits, strict=True)
    )
    return taxonomy.model_copy(update={key: changed})


def _units(taxonomy: Taxonomy, by: By) -> dict[str, list[int]]:
    """What is held out whole, by canonical name: the places of its skills or topics."""
    units: dict[str, list[int]] = {}
    if by == "category":
        names = [canonical(skill.category) for skill in taxonomy.skills]
    else:
        names = [canonical(entry.name) for entry in (taxonomy.topics if by == "topic" else taxonomy.skills)]
    for i, name in enumerate(names):
        units.setdefault(name, []).append(i)
    return units


def _named(units: Mapping[str, list[int]], name: str, by: By) -> list[int]:
    if canonical(name) not in units:
        close = get_close_matches(canonical(name), units, n=1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"--hold {name}: the taxonomy has no such {by}{hint}")
    return units[canonical(name)]


def _together(taxonomy: Taxonomy, splits: list[Split]) -> None:
    """Hold out what shares a name or an alias with a held-out skill: as test where one of them is test."""
    same = same_skills(taxonomy.skills).tolist()
    held: dict[int, Split] = {}
    for group, split in zip(same, splits, strict=True):
        if split != "train" and held.get(group) != "test":
            held[group] = split
    splits[:] = [held.get(group, split) for group, split in zip(same, splits, strict=True)]


def _draw(seed: int, *name: str) -> bytes:
    return hashlib.sha256(repr((seed, *name)).encode()).digest()
