"""Merging what is one and the same: a plan that a person reads and amends, then applies."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.validation import key_prefix, validation_message
from skillmill.data.inputs.yaml_file import LineNumbers, Location, read_yaml
from skillmill.skill_taxonomy.curation.duplicates import Group, duplicates
from skillmill.skill_taxonomy.curation.similarity import Vectors
from skillmill.skill_taxonomy.taxonomy import KEYS, Entry, Name, Taxonomy, canonical

_HEADER = """\
# Duplicates in {file}, compared by {made_by}. Nothing is changed yet.
# Read it: take out a group or a name that is no duplicate, make another name of a group the one to keep, add groups.
# Then: skillmill taxonomy merge {file} --apply THIS_FILE --out MERGED.yaml
# A kept skill takes the merged names as aliases, and their definition or example where it has none of its own.
"""
_STRICTNESS = ("train", "validation", "test")


class MergeGroup(BaseModel):
    """`merge`: the names that go into `keep`. `why` and `similarity` are for the reader."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: Name
    merge: tuple[Name, ...] = Field(min_length=1)
    why: str = ""
    similarity: float | None = None


class MergePlan(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    skills: tuple[MergeGroup, ...] = ()
    topics: tuple[MergeGroup, ...] = ()
    query_types: tuple[MergeGroup, ...] = ()

    def __len__(self) -> int:
        return sum(len(getattr(self, key)) for key in KEYS)


def propose(taxonomy: Taxonomy, vectors: Vectors, threshold: float | None = None) -> MergePlan:
    """What looks like one: skills by name and by their `vectors`, topics and query types by name alone."""
    found = {
        "skills": duplicates(taxonomy.skills, vectors, threshold),
        "topics": duplicates(taxonomy.topics),
        "query_types": duplicates(taxonomy.query_types),
    }
    return MergePlan(**{key: tuple(_group(getattr(taxonomy, key), g) for g in groups) for key, groups in found.items()})


def _group(entries: Sequence[Entry], group: Group) -> MergeGroup:
    keep, *others = (entries[place].name for place in group.places)
    similarity = None if group.similarity is None else round(group.similarity, 3)
    return MergeGroup(keep=keep, merge=tuple(others), why=group.why, similarity=similarity)


def plan_text(plan: MergePlan, taxonomy: Taxonomy, file: str, made_by: str) -> str:
    """The plan as YAML, each group under the definitions that a decision takes."""
    text = _HEADER.format(file=" ".join(file.split()), made_by=made_by)
    for key in KEYS:
        definitions = {entry.name: getattr(entry, "definition", "") for entry in getattr(taxonomy, key)}
        groups: tuple[MergeGroup, ...] = getattr(plan, key)
        text += f"{key}:\n" if groups else f"{key}: []\n"
        for group in groups:
            for name in dict.fromkeys((group.keep, *group.merge)):
                if definitions[name]:
                    text += f"# {_plain(f'{name}: {definitions[name]}')}\n"
            shown = group.model_dump(mode="json", exclude_defaults=True)
            text += yaml.dump([shown], Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110)
    return text


def load_plan(path: Path) -> tuple[MergePlan, LineNumbers]:
    """The plan and where its parts stand. Raises `ConfigError` with file, line, key and what was expected."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"merge plan: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"merge plan: {path} is not YAML: {error}") from None
    content, lines = read_yaml(text, f"merge plan: {path}") or {}, LineNumbers(text)
    if not isinstance(content, dict):
        raise ConfigError(f"merge plan: {path}: expected a mapping with skills, topics and query_types")
    try:
        return MergePlan.model_validate({key: groups or () for key, groups in content.items()}), lines
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"merge plan: {path}:{lines[first['loc']]}: {key_prefix(first['loc'])}{validation_message(first)}"
        ) from None


def merged(taxonomy: Taxonomy, plan: MergePlan, where: str, lines: LineNumbers) -> Taxonomy:
    """The taxonomy with each group of the plan in the file `where` as one entry, at the place of the kept one.

    Raises `ConfigError` with the line of the plan for a name that the taxonomy has not or that is in two groups,
    and where a name would still come twice.
    """

    def complain(location: Location, message: str) -> NoReturn:
        raise ConfigError(f"merge plan: {where}:{lines[location]}: {key_prefix(location)}{message}")

    update = {}
    for key in KEYS:
        entries = getattr(taxonomy, key)
        update[key] = tuple(joined(entries, _places(key, entries, getattr(plan, key), complain)))
        names = Counter(canonical(entry.name) for entry in update[key])
        if twice := [name for name, count in names.items() if count > 1]:
            raise ConfigError(f"merge plan: {where}: {key} would still have {', '.join(map(repr, twice))} twice")
    return taxonomy.model_copy(update=update)


def _places(
    key: str, entries: Sequence[Entry], groups: Sequence[MergeGroup], complain: Callable[[Location, str], NoReturn]
) -> list[list[int]]:
    """The places of each group's entries, the kept one first."""
    by_name: dict[str, list[int]] = {}
    for place, entry in enumerate(entries):
        by_name.setdefault(canonical(entry.name), []).append(place)
    found = []
    used: dict[str, int] = {}
    for number, group in enumerate(groups):
        locations: list[tuple[str, Location]] = [(group.keep, (key, number, "keep"))]
        locations += [(name, (key, number, "merge", i)) for i, name in enumerate(group.merge)]
        for name, location in locations:
            if canonical(name) not in by_name:
                complain(location, f"{name!r} is not in the taxonomy")
            if used.setdefault(canonical(name), number) != number:
                complain(location, f"{name!r} is in another group already")
        places = [place for name in dict.fromkeys(canonical(name) for name, _ in locations) for place in by_name[name]]
        if len(places) == 1:
            complain((key, number, "merge"), f"only one entry is named {group.keep!r}, there is nothing to merge")
        found.append(places)
    return found


def joined(entries: Sequence[Entry], groups: Iterable[Sequence[int]]) -> Iterator[Entry]:
    """The entries with each group of places as one, at the place of its first."""
    groups = list(groups)
    kept = {group[0]: group for group in groups}
    gone = {place for group in groups for place in group[1:]}
    for place, entry in enumerate(entries):
        if place in kept:
            yield _one([entries[i] for i in kept[place]])
        elif place not in gone:
            yield entry


def _one(entries: list[Entry]) -> Entry:
    """The first entry, with what it lacks from the others; held out where one of them is, most strictly."""
    kept = entries[0]
    update: dict[str, Any] = {}
    for field in type(kept).model_fields:
        values = [getattr(entry, field) for entry in entries]
        if field == "split":
            update[field] = max(values, key=_STRICTNESS.index)
        elif field == "aliases":
            names = {canonical(name): name for e in reversed(entries) for name in (*reversed(e.aliases), e.name)}  # type: ignore[attr-defined]
            names.pop(canonical(kept.name))
            update[field] = tuple(reversed(names.values()))
        elif field not in ("name", "min_words"):
            update[field] = next((value for value in values if value), values[0])
    return kept.model_copy(update=update)


def _plain(text: str) -> str:
    """One line without what YAML does not take in a comment."""
    return "".join(char if char.isprintable() else " " for char in text)
