"""What a person should look at in a taxonomy before it is used, and where in the file it stands."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from skillmill.data.inputs.yaml_file import Location
from skillmill.skill_taxonomy.curation.duplicates import duplicates
from skillmill.skill_taxonomy.names import bad_name, repeats, stems
from skillmill.skill_taxonomy.taxonomy import KEYS, Entry, Skill, Taxonomy, Topic, canonical

UNBALANCED = 4
"""A category this many times larger or smaller than the median one is worth a look."""

_LONGEST_NAME = 8  # words, of names looked for inside definitions


@dataclass(frozen=True, slots=True)
class Finding:
    """An error makes worse prompts, leaks or wrong filters; a warning may be meant. `entry` as it is in the file."""

    severity: Literal["error", "warning"]
    entry: str
    message: str
    location: Location


def check(taxonomy: Taxonomy) -> list[Finding]:
    """Findings in the order of the file. Names may come twice (see `read_taxonomy`): that is one of the findings."""
    findings = [
        finding
        for key in KEYS
        for place, entry in enumerate(getattr(taxonomy, key))
        for finding in _entry(entry, (key, place))
    ]
    for key in KEYS:
        findings += _duplicates(getattr(taxonomy, key), key)
    findings += _circles(taxonomy.skills)
    findings += _topics_that_name_a_skill(taxonomy)
    findings += _balance(taxonomy.skills)
    order = {key: place for place, key in enumerate(KEYS)}
    return sorted(findings, key=lambda found: (order[str(found.location[0])], found.location[1]))


def _entry(entry: Entry, at: Location) -> Iterator[Finding]:
    for field, text in _texts(entry):
        if "," in text and field[0] in ("name", "aliases"):
            message = f"{_called(field)} {text!r} has a comma, where lists of names are split"
            yield Finding("error", entry.name, message, (*at, *field))
        elif field == ("name",) and (fault := bad_name(text)):
            yield Finding("warning", entry.name, f"the name {fault}", (*at, *field))
        if odd := _odd(text):
            yield Finding("warning", entry.name, f"{_called(field)} has the character {odd}", (*at, *field))
    definition = getattr(entry, "definition", None)
    if definition is None:
        return
    if not definition:
        yield Finding("error", entry.name, "has no definition", at)
    elif repeats(entry.name, definition):
        yield Finding("error", entry.name, "the definition only repeats the name", (*at, "definition"))
    elif canonical(entry.name) in _phrases(definition):
        # a definition that says the name invites the teacher to say it too, which the filters reject
        yield Finding("warning", entry.name, "the definition contains the name", (*at, "definition"))
    if isinstance(entry, Skill) and not entry.example:
        yield Finding("warning", entry.name, "has no example", at)


def _texts(entry: Entry) -> Iterator[tuple[Location, str]]:
    yield ("name",), entry.name
    for i, alias in enumerate(getattr(entry, "aliases", ())):
        yield ("aliases", i), alias
    for field in ("definition", "example"):
        if text := getattr(entry, field, ""):
            yield (field,), text


def _called(field: Location) -> str:
    return "the alias" if field[0] == "aliases" else f"the {field[0]}"


def _odd(text: str) -> str | None:
    """The first invisible, unassigned or private character, by its code and name."""
    for char in text:
        if unicodedata.category(char)[0] == "C" or char == "\ufffd":
            return f"U+{ord(char):04X} {unicodedata.name(char, '')}".strip()
    return None


def _duplicates(entries: Sequence[Entry], key: str) -> Iterator[Finding]:
    for group in duplicates(entries):
        first, *others = sorted(group.places)
        for place in others:
            severity: Literal["error", "warning"] = "warning"
            message = f"is nearly the same name as {entries[first].name!r}"
            if canonical(entries[place].name) == canonical(entries[first].name):
                severity, message = "error", f"is already {key}[{first}]"
            elif "alias" in group.why:
                severity, message = "error", f"shares a name or an alias with {entries[first].name!r}"
            yield Finding(severity, entries[place].name, message, (key, place, "name"))


def _circles(skills: Sequence[Skill]) -> Iterator[Finding]:
    """Two skills that are defined by each other."""
    names = {canonical(skill.name): place for place, skill in enumerate(skills)}
    used = [{names[phrase] for phrase in _phrases(skill.definition) if phrase in names} for skill in skills]
    for place, others in enumerate(used):
        for other in sorted(others):
            if other > place and place in used[other]:
                message = f"is defined by {skills[other].name!r}, which is defined by it"
                yield Finding("warning", skills[place].name, message, ("skills", place, "definition"))


def _topics_that_name_a_skill(taxonomy: Taxonomy) -> Iterator[Finding]:
    topics: dict[tuple[str, ...], Topic] = {tuple(stems(topic.name)): topic for topic in taxonomy.topics}
    for place, skill in enumerate(taxonomy.skills):
        if found := topics.get(tuple(stems(skill.name))):
            yield Finding("warning", skill.name, f"is a topic as well: {found.name!r}", ("skills", place, "name"))


def _balance(skills: Sequence[Skill]) -> Iterator[Finding]:
    sizes = Counter(canonical(skill.category) for skill in skills)
    middle = median(sizes.values())
    for category, size in sizes.items():
        if size > UNBALANCED * middle or size * UNBALANCED < middle:
            place = next(i for i, skill in enumerate(skills) if canonical(skill.category) == category)
            message = f"unbalanced: {size} skills, where the median category has {middle:g}"
            yield Finding("warning", skills[place].category, message, ("skills", place, "category"))


def _phrases(text: str) -> set[str]:
    """All runs of up to `_LONGEST_NAME` whole words, in canonical form."""
    words = [word.strip(".,;:!?\"'“”‘’()") for word in canonical(text).split()]
    return {
        " ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, min(i + _LONGEST_NAME, len(words)) + 1)
    }
