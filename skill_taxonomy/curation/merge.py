"""Merging duplicates by a plan: a YAML file that is proposed, reviewed and amended by a person, then applied."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.validation import key_prefix, validation_message
from skillmill.data.inputs.yaml_file import LineNumbers, Location, read_yaml
from skillmill.skill_taxonomy.curation.duplicates import Group, find_duplicates
from skillmill.skill_taxonomy.curation.similarity import SkillVectors
from skillmill.skill_taxonomy.taxonomy import KEYS, Entry, Name, Taxonomy, canonical

_HEADER = """\
# Duplicates in {file}, compared by {method}. Nothing is changed yet.
# Read it: take out a group or a name that is no duplicate, make another name of a group the one to keep, add groups.
# Then: skillmill taxonomy merge {file} --apply THIS_FILE --out MERGED.yaml
# A kept skill takes the merged names as aliases, and their definition or example where it has none of its own.
"""
_SPLITS_BY_STRICTNESS = ("train", "validation", "test")


class MergeGroup(BaseModel):
    """Entries to merge into one.

    Attributes:
        keep: The name of the entry that stays.
        merge: The names of the entries that are merged into it.
        why: Why they were proposed, for the reader (`duplicates.Group.why`).
        similarity: Their least similarity, for the reader.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: Name
    merge: tuple[Name, ...] = Field(min_length=1)
    why: str = ""
    similarity: float | None = None


class MergePlan(BaseModel):
    """The groups to merge, for each list of a taxonomy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    skills: tuple[MergeGroup, ...] = ()
    topics: tuple[MergeGroup, ...] = ()
    query_types: tuple[MergeGroup, ...] = ()

    def __len__(self) -> int:
        return sum(len(getattr(self, key)) for key in KEYS)


def propose_plan(taxonomy: Taxonomy, vectors: SkillVectors, threshold: float | None = None) -> MergePlan:
    """Return a plan that merges duplicates: skills by name and similarity, topics and query types by name alone."""
    groups = {
        "skills": find_duplicates(taxonomy.skills, vectors, threshold),
        "topics": find_duplicates(taxonomy.topics),
        "query_types": find_duplicates(taxonomy.query_types),
    }
    return MergePlan(**{key: tuple(_merge_group(getattr(taxonomy, key), each) for each in groups[key]) for key in KEYS})


def _merge_group(entries: Sequence[Entry], group: Group) -> MergeGroup:
    """Return a group of places as a group of names."""
    keep, *others = (entries[place].name for place in group.places)
    similarity = None if group.similarity is None else round(group.similarity, 3)
    return MergeGroup(keep=keep, merge=tuple(others), why=group.why, similarity=similarity)


def plan_text(plan: MergePlan, taxonomy: Taxonomy, file: str, method: str) -> str:
    """Return the YAML text of a plan, with the definitions of the entries of a group as comments above it.

    Args:
        plan: The plan.
        taxonomy: The taxonomy that the plan is for.
        file: The name of the taxonomy's file, for the header.
        method: How similarity was measured, for the header.
    """
    text = _HEADER.format(file=" ".join(file.split()), method=method)
    for key in KEYS:
        definitions = {entry.name: getattr(entry, "definition", "") for entry in getattr(taxonomy, key)}
        groups: tuple[MergeGroup, ...] = getattr(plan, key)
        text += f"{key}:\n" if groups else f"{key}: []\n"
        for group in groups:
            for name in dict.fromkeys((group.keep, *group.merge)):
                if definitions[name]:
                    text += f"# {_printable(f'{name}: {definitions[name]}')}\n"
            content = group.model_dump(mode="json", exclude_defaults=True)
            text += yaml.dump([content], Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110)
    return text


def load_plan(path: Path) -> tuple[MergePlan, LineNumbers]:
    """Return the plan in a file and the line numbers of its parts. Raises `ConfigError` with file, line and key."""
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


def apply_plan(taxonomy: Taxonomy, plan: MergePlan, where: str, lines: LineNumbers) -> Taxonomy:
    """Return the taxonomy in which each group of the plan is one entry, at the place of the entry to keep.

    Args:
        taxonomy: The taxonomy, which may have repeated names.
        plan: The plan.
        where: The name of the plan's file, for error messages.
        lines: The line numbers of the plan's parts, for error messages.

    Raises `ConfigError` with the line in the plan if a name is not in the taxonomy or is in two groups, and if a name
    would still be repeated.
    """

    def fail(location: Location, message: str) -> NoReturn:
        raise ConfigError(f"merge plan: {where}:{lines[location]}: {key_prefix(location)}{message}")

    update = {}
    for key in KEYS:
        entries = getattr(taxonomy, key)
        update[key] = tuple(merge_groups(entries, _places(key, entries, getattr(plan, key), fail)))
        names = Counter(canonical(entry.name) for entry in update[key])
        if repeated := [name for name, count in names.items() if count > 1]:
            raise ConfigError(f"merge plan: {where}: {key} would still have {', '.join(map(repr, repeated))} twice")
    return taxonomy.model_copy(update=update)


def _places(
    key: str, entries: Sequence[Entry], groups: Sequence[MergeGroup], fail: Callable[[Location, str], NoReturn]
) -> list[list[int]]:
    """Return the places of the entries of each group, the one to keep first. Calls `fail` for a wrong group."""
    by_name: dict[str, list[int]] = {}
    for place, entry in enumerate(entries):
        by_name.setdefault(canonical(entry.name), []).append(place)
    group_places = []
    used: dict[str, int] = {}
    for number, group in enumerate(groups):
        locations: list[tuple[str, Location]] = [(group.keep, (key, number, "keep"))]
        locations += [(name, (key, number, "merge", i)) for i, name in enumerate(group.merge)]
        for name, location in locations:
            if canonical(name) not in by_name:
                fail(location, f"{name!r} is not in the taxonomy")
            if used.setdefault(canonical(name), number) != number:
                fail(location, f"{name!r} is in another group already")
        places = [place for name in dict.fromkeys(canonical(name) for name, _ in locations) for place in by_name[name]]
        if len(places) == 1:
            fail((key, number, "merge"), f"only one entry is named {group.keep!r}, there is nothing to merge")
        group_places.append(places)
    return group_places


def merge_groups(entries: Sequence[Entry], groups: Iterable[Sequence[int]]) -> Iterator[Entry]:
    """Yield the entries with each group of places merged into one, at the place of its first."""
    groups = list(groups)
    group_of = {group[0]: group for group in groups}
    merged = {place for group in groups for place in group[1:]}
    for place, entry in enumerate(entries):
        if place in group_of:
            yield _merge([entries[i] for i in group_of[place]])
        elif place not in merged:
            yield entry


def _merge(entries: list[Entry]) -> Entry:
    """Return the first entry with its empty fields filled from the others and their names as aliases.

    Its split is the strictest of all: "test" before "validation" before "train".
    """
    kept = entries[0]
    update: dict[str, Any] = {}
    for field in type(kept).model_fields:
        values = [getattr(entry, field) for entry in entries]
        if field == "split":
            update[field] = max(values, key=_SPLITS_BY_STRICTNESS.index)
        elif field == "aliases":
            all_names = [(entry.name, *getattr(entry, "aliases", ())) for entry in entries]
            names = {canonical(name): name for own in reversed(all_names) for name in reversed(own)}
            names.pop(canonical(kept.name))
            update[field] = tuple(reversed(names.values()))
        elif field not in ("name", "min_words"):
            update[field] = next((value for value in values if value), values[0])
    return kept.model_copy(update=update)


def _printable(text: str) -> str:
    """Return the text with a space for each character, such as a line break, that could end a YAML comment."""
    return "".join(char if char.isprintable() else " " for char in text)
