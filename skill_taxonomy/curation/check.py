"""Findings of `skillmill taxonomy check`: errors and doubtful entries of a taxonomy, with their places in the file."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeVar

from skillmill.data.inputs.yaml_file import Location
from skillmill.data.text.words import UNSPACED_NAME_LETTER
from skillmill.skill_taxonomy.curation.duplicates import find_duplicates
from skillmill.skill_taxonomy.names import MAX_NAME_LETTERS, bad_name, only_repeats, stems
from skillmill.skill_taxonomy.taxonomy import KEYS, Entry, Skill, Taxonomy, Topic, canonical

UNBALANCED = 4
"""The ratio of a category's size to the median size, or its inverse, above which the category is reported."""

T = TypeVar("T", str, list[str])

_MAX_PHRASE_WORDS = 8  # longer names are not searched for in definitions


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding about an entry.

    Attributes:
        severity: "error" if the entry makes prompts worse, leaks or misleads filters; "warning" if it may be intended.
        entry: The name of the entry or category as written in the file.
        message: What is wrong.
        location: The place in the file.
    """

    severity: Literal["error", "warning"]
    entry: str
    message: str
    location: Location


def find_faults(taxonomy: Taxonomy) -> list[Finding]:
    """Return the findings in the order of the file. Repeated names (see `read_taxonomy`) are findings too."""
    findings = [
        finding
        for key in KEYS
        for place, entry in enumerate(getattr(taxonomy, key))
        for finding in _entry_faults(entry, (key, place))
    ]
    for key in KEYS:
        findings += _duplicates(getattr(taxonomy, key), key)
    findings += _circular_definitions(taxonomy.skills)
    findings += _skills_named_like_a_topic(taxonomy)
    findings += _unbalanced_categories(taxonomy.skills)
    findings += _query_types_without_skills(taxonomy)
    order = {key: place for place, key in enumerate(KEYS)}
    return sorted(findings, key=lambda finding: (order[str(finding.location[0])], finding.location[1]))


def _entry_faults(entry: Entry, at: Location) -> Iterator[Finding]:
    """Yield the findings that concern one entry alone; `at` is its location."""
    for field, text in _fields(entry):
        if "," in text and field[0] in ("name", "aliases"):
            message = f"{_field_title(field)} {text!r} has a comma, where lists of names are split"
            yield Finding("error", entry.name, message, (*at, *field))
        elif field == ("name",) and (fault := bad_name(text)):
            yield Finding("warning", entry.name, f"the name {fault}", (*at, *field))
        if character := _odd_character(text):
            yield Finding("warning", entry.name, f"{_field_title(field)} has the character {character}", (*at, *field))
    definition = getattr(entry, "definition", None)
    if definition is None:
        return
    if not definition:
        yield Finding("error", entry.name, "has no definition", at)
    elif only_repeats(entry.name, definition):
        yield Finding("error", entry.name, "the definition only repeats the name", (*at, "definition"))
    elif canonical(entry.name) in _phrases(definition):
        # teachers copy the name from the definition, and the leak filter rejects texts that contain it
        yield Finding("warning", entry.name, "the definition contains the name", (*at, "definition"))
    if isinstance(entry, Skill) and not entry.example:
        yield Finding("warning", entry.name, "has no example", at)


def _fields(entry: Entry) -> Iterator[tuple[Location, str]]:
    """Yield the location within the entry and the text of each text field that is not empty."""
    yield ("name",), entry.name
    for i, alias in enumerate(getattr(entry, "aliases", ())):
        yield ("aliases", i), alias
    for field in ("definition", "example"):
        if text := getattr(entry, field, ""):
            yield (field,), text


def _field_title(field: Location) -> str:
    """Return the words for a field in a message."""
    return "the alias" if field[0] == "aliases" else f"the {field[0]}"


def _odd_character(text: str) -> str | None:
    """Return code and name of the first invisible, unassigned or private character; None if there is none."""
    for char in text:
        if unicodedata.category(char)[0] == "C" or char == "\ufffd":
            return f"U+{ord(char):04X} {unicodedata.name(char, '')}".strip()
    return None


def _duplicates(entries: Sequence[Entry], key: str) -> Iterator[Finding]:
    """Yield a finding for each entry that duplicates another one of the list `key`."""
    for group in find_duplicates(entries):
        first, *others = sorted(group.places)
        for place in others:
            severity: Literal["error", "warning"] = "warning"
            message = f"is nearly the same name as {entries[first].name!r}"
            if canonical(entries[place].name) == canonical(entries[first].name):
                severity, message = "error", f"is already {key}[{first}]"
            elif "alias" in group.why:
                severity, message = "error", f"shares a name or an alias with {entries[first].name!r}"
            yield Finding(severity, entries[place].name, message, (key, place, "name"))


def _circular_definitions(skills: Sequence[Skill]) -> Iterator[Finding]:
    """Yield a finding for each pair of skills whose definitions contain each other's name."""
    names = {canonical(skill.name): place for place, skill in enumerate(skills)}
    mentioned = [{names[phrase] for phrase in _phrases(skill.definition) if phrase in names} for skill in skills]
    for place, others in enumerate(mentioned):
        for other in sorted(others):
            if other > place and place in mentioned[other]:
                message = f"is defined by {skills[other].name!r}, which is defined by it"
                yield Finding("warning", skills[place].name, message, ("skills", place, "definition"))


def _skills_named_like_a_topic(taxonomy: Taxonomy) -> Iterator[Finding]:
    """Yield a finding for each skill whose name has the stems of a topic's name."""
    topics: dict[tuple[str, ...], Topic] = {tuple(stems(topic.name)): topic for topic in taxonomy.topics}
    for place, skill in enumerate(taxonomy.skills):
        if topic := topics.get(tuple(stems(skill.name))):
            yield Finding("warning", skill.name, f"is a topic as well: {topic.name!r}", ("skills", place, "name"))


def _unbalanced_categories(skills: Sequence[Skill]) -> Iterator[Finding]:
    """Yield a finding for each category whose size is far from the median size."""
    sizes = Counter(canonical(skill.category) for skill in skills)
    middle = median(sizes.values())
    for category, size in sizes.items():
        if size > UNBALANCED * middle or size * UNBALANCED < middle:
            place = next(i for i, skill in enumerate(skills) if canonical(skill.category) == category)
            message = f"unbalanced: {size} skills, where the median category has {middle:g}"
            yield Finding("warning", skills[place].category, message, ("skills", place, "category"))


def _query_types_without_skills(taxonomy: Taxonomy) -> Iterator[Finding]:
    """Yield a finding for each query type whose category no skill has, so that no cell has it."""
    categories = {canonical(skill.category) for skill in taxonomy.skills}
    for place, query_type in enumerate(taxonomy.query_types):
        if query_type.category is not None and canonical(query_type.category) not in categories:
            message = f"goes with the category {query_type.category!r}, which no skill has"
            yield Finding("error", query_type.name, message, ("query_types", place, "category"))


def _phrases(text: str) -> set[str]:
    """Return all n-grams of up to `_MAX_PHRASE_WORDS` words, in canonical form, without punctuation.

    A stretch in a script without spaces has its n-grams of up to `MAX_NAME_LETTERS` letters.
    """
    words = [word.strip(".,;:!?\"'“”‘’()") for word in canonical(text).split()]
    stretches = [word for word in words if UNSPACED_NAME_LETTER.search(word)]
    return {" ".join(gram) for gram in _ngrams(words, _MAX_PHRASE_WORDS)} | {
        gram for stretch in stretches for gram in _ngrams(stretch, MAX_NAME_LETTERS)
    }


def _ngrams(items: T, most: int) -> Iterator[T]:
    """Yield all slices of 1 to `most` items."""
    for i in range(len(items)):
        for j in range(i + 1, min(i + most, len(items)) + 1):
            yield items[i:j]
