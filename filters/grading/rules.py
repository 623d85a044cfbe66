"""Points without a model: by the rules of the skills, and by counts of words and sentences for the other criteria."""

from skillmill.data.records import Sample
from skillmill.data.text.tokens import tokens
from skillmill.filters.grading.points import Points, SkillPoint
from skillmill.filters.grading.rubric import within_sentences
from skillmill.filters.rows.cut_off import stops_in_the_middle
from skillmill.filters.rows.missing_material import lacks_material
from skillmill.filters.rows.no_request import NoRequest
from skillmill.filters.rows.repetition import Repetition
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell

RULES = "rules"
"""The name of the grader of a row that no model graded."""

SHORT_TEXT = Repetition(min_words=8, max_compression=2.2, max_repeated_openings=1)
"""Thresholds of repetition for texts of one or two sentences.

The 204 examples of builtin:language and builtin:checkable, some of which repeat by design, have a compression of 1.73
at most; two of 42 texts of the embedded teacher exceed the threshold of 2.2.
"""


def needs_model(cell: Cell) -> bool:
    """Return whether the cell has a skill without a rule."""
    return any(skill.checker is None for skill in cell.skills)


def skill_points(sample: Sample, cell: Cell) -> dict[str, SkillPoint]:
    """Return the points of the cell's skills that have a rule, by name; evidence is the passage that the rule found."""
    from skillmill.skill_taxonomy.checkers import check  # patterns take 25 ms, and most taxonomies have no rules

    passages = {skill.name: check(skill.checker, sample.response) for skill in cell.skills if skill.checker}
    return {name: SkillPoint(name, float(passage is not None), passage) for name, passage in passages.items()}


def points_by_rules(sample: Sample, cell: Cell) -> Points:
    """Return the points of a sample whose cell has only skills with a rule.

    For a Skill-Mix text: `on_topic` if it shares a subject word with the topic, `makes_sense` if it does not repeat
    itself, `within_limit` by `within_sentences`. For an instruction and its answer: `on_topic` if they share a subject
    word; `makes_sense` if the answer does not repeat itself and the instruction makes a request and includes the
    material that it refers to; `within_limit` if the answer is not cut off and has the requested number of items.
    Words are compared without their endings.
    """
    shown = tuple(skill_points(sample, cell).values())
    if cell.kind == SKILL_MIX:
        topic = cell.topic.name if cell.topic else ""
        sense = not SHORT_TEXT.check(sample, cell).reasons
        return Points(shown, _shares_subject_word(topic, sample.response), float(sense), within_sentences(sample, cell))
    sense = (
        not Repetition().check(sample, cell).reasons
        and not NoRequest().check(sample, cell).reasons
        and not lacks_material(sample.instruction)
    )
    return Points(shown, _shares_subject_word(sample.instruction, sample.response), float(sense), _is_complete(sample))


def _shares_subject_word(subject: str, text: str) -> float:
    """Return 1 if the text shares a subject word with `subject`, or if `subject` has none, else 0."""
    subject_words, text_words = _subject_words(subject), _subject_words(text)
    return float(not subject_words or any(_share_prefix(one, other) for one in subject_words for other in text_words))


def _subject_words(text: str) -> set[str]:
    from skillmill.filters.shirker.features.instruction import FUNCTION_WORDS  # patterns take 15 ms; few runs use rules

    return {word for word in tokens(text) if word not in FUNCTION_WORDS and (len(word) > 2 or word.isdigit())}


def _share_prefix(one: str, other: str) -> bool:
    """Return whether two words are equal or share at least three letters and all of the shorter word but its last.

    It is not made from `skillmill.data.text.stems`, because points would change (10 of 3,215 real answers).
    """
    shorter = min(len(one), len(other))
    prefix = max(3, shorter - 1)
    return one == other or (shorter >= prefix and one[:prefix] == other[:prefix])


def _is_complete(sample: Sample) -> float:
    """Return 1 if the answer is not cut off and has the requested number of items, else 0."""
    from skillmill.filters.shirker.features.answer import ANSWER_FEATURES, answer_features  # as in `_subject_words`
    from skillmill.filters.shirker.features.instruction import instruction_features

    missing = answer_features([instruction_features(sample.instruction)], [sample.response])[
        0, ANSWER_FEATURES.index("missing_items")
    ]
    return float(not missing and sample.finish_reason != "length" and not stops_in_the_middle(sample.response))
