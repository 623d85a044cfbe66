"""What a model is asked about a row, and how its reply becomes points: one rubric for each kind of row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillmill.data.records import Message, Sample
from skillmill.data.text.measures import count_published_sentences, count_sentences
from skillmill.filters.grading.points import OTHERS, Points, SkillPoint
from skillmill.filters.grading.reading import entries, listed_points, occurs, point_of, verdict_of
from skillmill.filters.rows.form import SKILL_MIX, number_of_sentences, sentence_limit
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import Skill, canonical
from skillmill.teachers.prompts import prompts_fingerprint, render
from skillmill.teachers.structured import object_schema, parse_object

FOLDER = Path(__file__).parent / "prompts"

FINER = {
    "on_topic": ("helpful", "correct"),
    "makes_sense": ("plausible", "self_contained", "answerable"),
    "within_limit": ("complete",),
}
"""What a grader is asked of an instruction and its answer beside the skills. A point of the grade is earned where all
behind it are."""

Skills = tuple[Skill, ...]
_EVIDENCE = {"type": "string", "maxLength": 200}
_POINT = {"type": "integer", "enum": [0, 1]}
_VERDICT = {"type": "boolean"}


@dataclass(frozen=True)
class Rubric:
    """`skills` are those of the cell that the model is asked about. `read` gives None for a reply without any point."""

    messages: Callable[[Sample, Cell, Skills], list[Message]]
    schema: Callable[[Skills], dict[str, Any]]
    read: Callable[[str, Sample, Cell, Skills], Points | None]


def rubric_of(cell: Cell) -> Rubric:
    """Texts on a topic have Skill-Mix's rubric; all else is an instruction and its answer."""
    return SKILL_MIX_RUBRIC if cell.kind == SKILL_MIX else INSTRUCT_RUBRIC


def prompts() -> str:
    """The fingerprint of the prompt sources."""
    return prompts_fingerprint(FOLDER)


def within_sentences(sample: Sample, cell: Cell) -> float:
    """Skill-Mix's sentence point, which no grader decides: 1 where the text keeps to its limit (papers.md 1.5)."""
    text = sample.response
    counted = count_published_sentences(text) if cell.english else count_sentences(text, english=False)
    return float(counted <= sentence_limit(cell.k, cell.length))


def _text_messages(sample: Sample, cell: Cell, skills: Skills) -> list[Message]:
    sentences = number_of_sentences(sentence_limit(cell.k, cell.length))
    topic = cell.topic.name if cell.topic else "anything"
    asked = {"skills": skills, "topic": topic, "sentences": sentences, "text": sample.response}
    return _conversation("skill_mix", "skill_mix_text", asked)


def _row_messages(sample: Sample, cell: Cell, skills: Skills) -> list[Message]:
    asked = {"skills": skills, "instruction": sample.instruction, "response": sample.response}
    return _conversation("instruct", "instruct_row", asked)


def _conversation(guidance: str, task: str, variables: Mapping[str, Any]) -> list[Message]:
    return [
        {"role": "system", "content": render(FOLDER, guidance)},
        {"role": "user", "content": render(FOLDER, task, **variables)},
    ]


def _text_schema(skills: Skills) -> dict[str, Any]:
    each = object_schema(evidence=_EVIDENCE, point=_POINT)
    return object_schema(skills=_by_name(skills, each), **dict.fromkeys(OTHERS, _POINT))


def _row_schema(skills: Skills) -> dict[str, Any]:
    each = object_schema(evidence=_EVIDENCE, shown=_VERDICT)
    names = [name for behind in FINER.values() for name in behind]
    return object_schema(skills=_by_name(skills, each), **dict.fromkeys(names, _VERDICT))


def _by_name(skills: Skills, each: dict[str, Any]) -> dict[str, Any]:
    return object_schema(**{skill.name: each for skill in skills})


def _read_text(reply: str, sample: Sample, cell: Cell, skills: Skills) -> Points | None:
    """Points as they were given, missing ones 0; in words they count in order. The sentence point is our own.

    Evidence that does not stand in the text is dropped, the point stays: Skill-Mix's rubric asks for none.
    """
    found = parse_object(reply, ("skills",)) or {}
    said = [verdict_of(entries(found.get("skills")).get(canonical(skill.name))) for skill in skills]
    others = [point_of(found.get(name)) for name in OTHERS[:2]]
    if all(point is None for point in (*(point for point, _ in said), *others)):
        listed: list[float | None] = [*listed_points(reply)]
        if not listed:
            return None
        listed += [None] * (len(skills) + len(others))
        said = [(point, None) for point in listed[: len(skills)]]
        others = listed[len(skills) : len(skills) + 2]
    shown = [
        SkillPoint(skill.name, point or 0.0, evidence if evidence and occurs(evidence, sample.response) else None)
        for skill, (point, evidence) in zip(skills, said, strict=True)
    ]
    on_topic, makes_sense = (point or 0.0 for point in others)
    return Points(tuple(shown), on_topic, makes_sense, within_sentences(sample, cell))


def _read_row(reply: str, sample: Sample, cell: Cell, skills: Skills) -> Points | None:
    """A skill counts where the evidence for it stands in the answer. An answer that was cut off is not complete."""
    found = parse_object(reply, ()) or {}
    by_name = entries(found.get("skills"))
    said = [verdict_of(by_name.get(canonical(skill.name))) for skill in skills]
    given = {name: point_of(found.get(name)) for behind in FINER.values() for name in behind}
    if all(point is None for point in (*(point for point, _ in said), *given.values())):
        return None
    finer = {name: point or 0.0 for name, point in given.items()}
    if sample.finish_reason == "length":
        finer["complete"] = 0.0
    others = {name: min(finer[each] for each in behind) for name, behind in FINER.items()}
    shown = [
        SkillPoint(skill.name, point or 0.0, evidence)
        if evidence and occurs(evidence, sample.response)
        else SkillPoint(skill.name, 0.0)
        for skill, (point, evidence) in zip(skills, said, strict=True)
    ]
    return Points(tuple(shown), **others, finer=finer)


SKILL_MIX_RUBRIC = Rubric(_text_messages, _text_schema, _read_text)
INSTRUCT_RUBRIC = Rubric(_row_messages, _row_schema, _read_row)
