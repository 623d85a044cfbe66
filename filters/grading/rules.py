"""Points without a model: exact for skills that have a rule, plain and lexical for the rest."""

from skillmill.data.records import Sample
from skillmill.data.text.tokens import tokens
from skillmill.filters.config import FilterOptions, Repetition
from skillmill.filters.grading.points import Points, SkillPoint
from skillmill.filters.grading.rubric import within_sentences
from skillmill.filters.rows.form import SKILL_MIX, stops_in_the_middle
from skillmill.filters.rows.missing_material import lacks_material
from skillmill.filters.rows.no_request import no_request
from skillmill.filters.rows.substance import repetition
from skillmill.filters.shirker.answer_features import MEASURES, measures
from skillmill.filters.shirker.instruction_features import FUNCTION_WORDS, asked
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.checkers import check

RULES = "rules"
"""The grader's name where no model was asked."""

SHORT_TEXT = Repetition(min_words=8, max_compression=2.2, max_repeated_openings=1)
"""What a text of one or two sentences may repeat. None of the 204 examples of builtin:language and builtin:checkable,
some of which repeat by design, is as compressible (1.73 at most); two of 42 texts of the embedded teacher are."""


def needs_a_model(cell: Cell) -> bool:
    """Whether the cell has a skill that no rule decides."""
    return any(skill.checker is None for skill in cell.skills)


def skill_points(sample: Sample, cell: Cell) -> dict[str, SkillPoint]:
    """By name, the points of the skills that a rule decides; the evidence is the piece of text that it found."""
    found = {skill.name: check(skill.checker, sample.response) for skill in cell.skills if skill.checker}
    return {name: SkillPoint(name, float(piece is not None), piece) for name, piece in found.items()}


def points_by_rules(sample: Sample, cell: Cell) -> Points:
    """The points of a cell all of whose skills have a rule.

    `on_topic`: the text shares a subject word with the topic, the answer with the instruction, endings aside.
    `makes_sense`: the text does not say the same again and again; the instruction asks for something and brings along
    what it is about. `within_limit`: Skill-Mix's count of sentences; the answer is whole and has as many items as
    were asked for.
    """
    shown = tuple(skill_points(sample, cell).values())
    if cell.kind == SKILL_MIX:
        topic = cell.topic.name if cell.topic else ""
        sense = not repetition(sample, cell, SHORT_TEXT).reasons
        return Points(shown, _about(topic, sample.response), float(sense), within_sentences(sample, cell))
    sense = (
        not repetition(sample, cell, Repetition()).reasons
        and not no_request(sample, cell, FilterOptions()).reasons
        and not lacks_material(sample.instruction)
    )
    return Points(shown, _about(sample.instruction, sample.response), float(sense), _whole(sample))


def _about(subject: str, text: str) -> float:
    wanted, said = _subject_words(subject), _subject_words(text)
    return float(not wanted or any(_akin(one, other) for one in wanted for other in said))


def _subject_words(text: str) -> set[str]:
    return {word for word in tokens(text) if word not in FUNCTION_WORDS and (len(word) > 2 or word.isdigit())}


def _akin(one: str, other: str) -> bool:
    """Whether two words begin alike: with all letters of the shorter but its last, and three at least."""
    shorter = min(len(one), len(other))
    alike = max(3, shorter - 1)
    return one == other or (shorter >= alike and one[:alike] == other[:alike])


def _whole(sample: Sample) -> float:
    missing = measures([asked(sample.instruction)], [sample.response])[0, MEASURES.index("missing_items")]
    return float(not missing and sample.finish_reason != "length" and not stops_in_the_middle(sample.response))
