"""The rubrics: the grader's messages, the JSON schema of its reply and the points in the reply, for each kind of row.

Texts on a topic have Skill-Mix's criteria (arXiv 2310.17567, `prompts/grade` of the released code). An instruction and
its answer have a rubric of this project, as Instruct-SkillMix (arXiv 2408.14774) grades no rows. The point of a skill
needs evidence (`evidence.py`); the paper's own rubric, which requires none, is an option for texts.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillmill.data.records import Message, Sample
from skillmill.data.text.lengths import sentence_limit, sentences_in_words
from skillmill.data.text.sentences import count_published_sentences, count_sentences
from skillmill.filters.grading.config import RubricName
from skillmill.filters.grading.evidence import LONGEST_EVIDENCE, occurs, with_evidence
from skillmill.filters.grading.points import OTHER_CRITERIA, Criterion, Points, SkillPoint
from skillmill.filters.grading.reading import (
    entries_by_skill,
    parse_point,
    point_and_evidence,
    points_in_prose,
)
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell
from skillmill.skill_taxonomy.taxonomy import Skill, canonical
from skillmill.teachers.prompts import Prompts, chosen_prompts
from skillmill.teachers.structured import object_schema, parse_object

FOLDER = Path(__file__).parent / "prompts"

SUBCRITERIA: dict[Criterion, tuple[str, ...]] = {
    "on_topic": ("helpful", "correct"),
    "makes_sense": ("plausible", "self_contained", "answerable"),
    "within_limit": ("complete",),
}
"""The criteria that a grader checks of an instruction and its answer, besides one per skill.

A point of the grade is the least of the subpoints of its criterion.
"""

Skills = tuple[Skill, ...]
JsonSchema = dict[str, Any]
GivenPoint = tuple[float | None, list[str]]
"""The point that a reply gives to a skill, and the quoted passages."""

_EVIDENCE: JsonSchema = {"type": "string", "maxLength": 200}
_POINT: JsonSchema = {"type": "integer", "enum": [0, 1]}
_VERDICT: JsonSchema = {"type": "boolean"}


@dataclass(frozen=True)
class Rubric:
    """How rows of one kind are graded by a model. `skills` are the skills of the cell that have no rule."""

    messages: Callable[[Prompts, Sample, Cell, Skills], list[Message]]
    """Returns the messages of the request, from prompts such as those of `grading_prompts`."""
    schema: Callable[[Skills], JsonSchema]
    """Returns the JSON schema of the reply."""
    read: Callable[[str, Sample, Cell, Skills], Points | None]
    """Returns the points in a reply, None if it contains none."""


def rubric_of(cell: Cell, name: RubricName = "structured") -> Rubric:
    """Return the rubric for rows of this cell's kind; only Skill-Mix has one of the paper."""
    if cell.kind != SKILL_MIX:
        return INSTRUCT_RUBRIC
    return PAPER_RUBRIC if name == "paper" else SKILL_MIX_RUBRIC


def grading_prompts(folder: str | None = None, key: str = "grading.prompts") -> Prompts:
    """Return the prompts of all rubrics, with the files of the user's folder in place of the shipped ones.

    `key` is the key of the configuration that names the folder. Raises `ConfigError` as `Prompts` does.
    """
    return chosen_prompts(FOLDER, own=folder, key=key)


def within_sentences(sample: Sample, cell: Cell) -> float:
    """Return Skill-Mix's sentence point: 1 if the text has no more sentences than its limit, else 0.

    Skill-Mix's released code replaces the grader's point by this count of sentences.
    """
    text = sample.response
    counted = count_published_sentences(text) if cell.english else count_sentences(text, english=False)
    return float(counted <= sentence_limit(cell.k, cell.length))


def _text_messages(prompts: Prompts, sample: Sample, cell: Cell, skills: Skills) -> list[Message]:
    sentences = sentences_in_words(sentence_limit(cell.k, cell.length))
    topic = cell.topic.name if cell.topic else "anything"
    variables = {"skills": skills, "topic": topic, "sentences": sentences, "text": sample.response}
    return _conversation(prompts, "skill_mix", "skill_mix_text", variables)


def _row_messages(prompts: Prompts, sample: Sample, cell: Cell, skills: Skills) -> list[Message]:
    variables = {"skills": skills, "instruction": sample.instruction, "response": sample.response}
    return _conversation(prompts, "instruct", "instruct_row", variables)


def _conversation(prompts: Prompts, guidance: str, task: str, variables: Mapping[str, object]) -> list[Message]:
    return [
        {"role": "system", "content": prompts.render(guidance)},
        {"role": "user", "content": prompts.render(task, **variables)},
    ]


def _text_schema(skills: Skills) -> JsonSchema:
    each = object_schema(evidence=_EVIDENCE, point=_POINT)
    return object_schema(skills=_by_name(skills, each), **dict.fromkeys(OTHER_CRITERIA, _POINT))


def _row_schema(skills: Skills) -> JsonSchema:
    each = object_schema(evidence=_EVIDENCE, shown=_VERDICT)
    names = [name for subcriteria in SUBCRITERIA.values() for name in subcriteria]
    return object_schema(skills=_by_name(skills, each), **dict.fromkeys(names, _VERDICT))


def _by_name(skills: Skills, each: JsonSchema) -> JsonSchema:
    return object_schema(**{skill.name: each for skill in skills})


def _read_text(reply: str, sample: Sample, cell: Cell, skills: Skills) -> Points | None:
    """Return the points of a Skill-Mix text as `_read_paper_text` does; the point of a skill is 0 without evidence."""
    found = _text_points(reply, skills)
    if found is None:
        return None
    shown, on_topic, makes_sense = found
    skill_points, taken_off = _with_evidence(skills, shown, sample.response)
    within = within_sentences(sample, cell)
    return Points(skill_points, on_topic, makes_sense, within, taken_off=taken_off)


def _read_paper_text(reply: str, sample: Sample, cell: Cell, skills: Skills) -> Points | None:
    """Return the points of a Skill-Mix text; missing points are 0.

    Evidence that does not occur in the text is dropped without changing the point, as Skill-Mix's rubric asks for none.
    The sentence point is counted.
    """
    found = _text_points(reply, skills)
    if found is None:
        return None
    shown, on_topic, makes_sense = found
    skill_points = [
        SkillPoint(skill.name, point or 0.0, _stored([quote for quote in quotes if occurs(quote, sample.response)]))
        for skill, (point, quotes) in zip(skills, shown, strict=True)
    ]
    return Points(tuple(skill_points), on_topic, makes_sense, within_sentences(sample, cell))


def _text_points(reply: str, skills: Skills) -> tuple[list[GivenPoint], float, float] | None:
    """Return the points that a reply gives to a text: those of the skills, `on_topic` and `makes_sense`.

    A reply that names only other skills has no points. A reply in prose gives its points in the order of the criteria.
    """
    fields = parse_object(reply, ("skills",)) or {}
    entries = entries_by_skill(fields.get("skills"))
    if _names_other_skills(entries, skills):
        return None
    shown = [point_and_evidence(entries.get(canonical(skill.name))) for skill in skills]
    others = [parse_point(fields.get("on_topic")), parse_point(fields.get("makes_sense"))]
    if all(point is None for point in (*(point for point, _ in shown), *others)):
        in_order: list[float | None] = [*points_in_prose(reply)]
        if not in_order:
            return None
        in_order += [None] * (len(skills) + len(others))
        shown = [(point, []) for point in in_order[: len(skills)]]
        others = in_order[len(skills) : len(skills) + len(others)]
    on_topic, makes_sense = (point or 0.0 for point in others)
    return shown, on_topic, makes_sense


def _read_row(reply: str, sample: Sample, cell: Cell, skills: Skills) -> Points | None:
    """Return the points of an instruction and its answer; missing points are 0.

    A reply that names only other skills has no points.
    The point of a skill is 0 without evidence. "complete" is 0 for an answer that was cut off.
    """
    fields = parse_object(reply, ()) or {}
    entries = entries_by_skill(fields.get("skills"))
    if _names_other_skills(entries, skills):
        return None
    shown = [point_and_evidence(entries.get(canonical(skill.name))) for skill in skills]
    given = {name: parse_point(fields.get(name)) for names in SUBCRITERIA.values() for name in names}
    if all(point is None for point in (*(point for point, _ in shown), *given.values())):
        return None
    subpoints = {name: point or 0.0 for name, point in given.items()}
    if sample.finish_reason == "length":
        subpoints["complete"] = 0.0
    others = {criterion: min(subpoints[name] for name in names) for criterion, names in SUBCRITERIA.items()}
    skill_points, taken_off = _with_evidence(skills, shown, sample.response)
    return Points(skill_points, **others, subpoints=subpoints, taken_off=taken_off)


def _with_evidence(
    skills: Skills, shown: Sequence[GivenPoint], text: str
) -> tuple[tuple[SkillPoint, ...], Counter[str]]:
    """Return the points of the skills that have evidence, and the number of points taken off by reason."""
    given = [
        SkillPoint(skill.name, point or 0.0, _stored(quotes))
        for skill, (point, quotes) in zip(skills, shown, strict=True)
    ]
    return with_evidence(given, [quotes for _, quotes in shown], text)


def _stored(quotes: Sequence[str]) -> str | None:
    return " … ".join(quotes)[:LONGEST_EVIDENCE] or None


def _names_other_skills(entries: Mapping[str, object], skills: Skills) -> bool:
    """Return whether a reply names skills, but none of those that it was asked about: it is not about this row."""
    return bool(entries) and not any(canonical(skill.name) in entries for skill in skills)


SKILL_MIX_RUBRIC = Rubric(_text_messages, _text_schema, _read_text)
PAPER_RUBRIC = Rubric(_text_messages, _text_schema, _read_paper_text)
INSTRUCT_RUBRIC = Rubric(_row_messages, _row_schema, _read_row)
