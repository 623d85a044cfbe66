"""Cells, a good row for each, and the reasons that all filters give for a row: for tests of single filters."""

from skillmill.data.records import Sample, SampleRow, sample_row
from skillmill.filters.apply import apply_filters
from skillmill.filters.config import FiltersConfig
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Topic

HERRING = Skill(name="red herring", definition="bringing up something irrelevant")
FALLACY = Skill(name="accident (fallacy)", definition="a misused rule", aliases=("sweeping generalization",))
METAPHOR = Skill(name="metaphor")

ADVICE_CELL = Cell("instruct_skill_mix", 0, (HERRING, METAPHOR), None, QueryType(name="Advice", min_words=20), 1)
TEXT_CELL = Cell("skill_mix", 0, (HERRING, METAPHOR), Topic(name="chess"), None, 1)
FALLACY_CELL = Cell("skill_mix", 0, (FALLACY, METAPHOR, HERRING), Topic(name="chess"), None, 1)

QUESTION = "How can I tell my flatmates that my milk keeps disappearing?"
ANSWER = (
    "Pick a quiet evening and say what you saw, not what you think of them: the carton was empty on Tuesday. "
    "Then offer a way out, such as a shelf for each of you and a shared jar for coffee."
)
"""A good answer to `QUESTION` for `ADVICE_CELL`."""
TEXT = "Her knight was a thief in the night, and by the way, is it not warm today?"
"""A good text for `TEXT_CELL`."""


def reasons(
    response: str, cell: Cell = ADVICE_CELL, instruction: str = QUESTION, finish_reason: str = "stop"
) -> set[str]:
    """Return the reasons of all filters with their default options."""
    sample = Sample(instruction, response, finish_reason=finish_reason)
    return {str(reason) for reason in apply_filters(sample, cell, FiltersConfig()).reasons}


def example_row(sample: Sample, plan: str = "a" * 16, index: int = 0) -> SampleRow:
    """Return a row of the sample with filler in the columns of its cell."""
    return sample_row(
        sample,
        plan=plan,
        index=index,
        cell=f"{index}",
        kind="skill_mix",
        k=1,
        skills=["irony"],
        topic=None,
        query_type=None,
        difficulty=None,
        length=None,
        language=None,
        parent=None,
        operator=None,
        teacher="t",
        prompts="p",
        seed=index,
        split="train",
    )
