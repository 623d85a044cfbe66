"""What a person should look at in a taxonomy before it is used."""

from dataclasses import dataclass
from itertools import chain
from typing import Literal

from skillmill.skill_taxonomy.names import bad_name, stems
from skillmill.skill_taxonomy.taxonomy import Entry, QueryType, Skill, Taxonomy, Topic, canonical


@dataclass(frozen=True, slots=True)
class Finding:
    """`entry` is the name as it stands in the file."""

    severity: Literal["error", "warning"]
    entry: str
    message: str


def check(taxonomy: Taxonomy) -> list[Finding]:
    """Findings in the order of the file; an error makes worse prompts or wrong filters, a warning may be meant."""
    findings: list[Finding] = []
    for entry in chain(taxonomy.skills, taxonomy.topics, taxonomy.query_types):
        findings += _entry(entry)
    for entries in (taxonomy.skills, taxonomy.topics, taxonomy.query_types):
        findings += _near_duplicates(entries)
    return findings


def _entry(entry: Entry) -> list[Finding]:
    findings: list[Finding] = []
    if fault := bad_name(entry.name):
        findings.append(Finding("warning", entry.name, f"the name {fault}"))
    if not isinstance(entry, Skill | QueryType):
        return findings
    if not entry.definition:
        findings.append(Finding("error", entry.name, "has no definition"))
    elif isinstance(entry, Skill) and canonical(entry.name) in canonical(entry.definition):
        # a definition that says the name invites the teacher to say it too, which the filters reject
        findings.append(Finding("warning", entry.name, "the definition contains the name"))
    if isinstance(entry, Skill) and not entry.example:
        findings.append(Finding("warning", entry.name, "has no example"))
    return findings


def _near_duplicates(entries: tuple[Skill, ...] | tuple[Topic, ...] | tuple[QueryType, ...]) -> list[Finding]:
    seen: dict[tuple[str, ...], str] = {}
    findings = []
    for entry in entries:
        first = seen.setdefault(tuple(stems(entry.name)), entry.name)
        if first != entry.name:
            findings.append(Finding("warning", entry.name, f"is nearly the same name as {first!r}"))
    return findings
