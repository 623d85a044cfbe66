"""The wording of answer lengths in the prompts of Instruct-SkillMix."""

from skillmill.data.text.lengths import WORD_RANGES
from skillmill.generators.conversation import is_short_form
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import Sampling

MAX_ANSWER_WORDS = 350
"""The answers released with Instruct-SkillMix (arXiv 2408.14774) have 307 words on average."""
WORDS_OF_A_SHORT_PARAGRAPH = 40
"""Words that a paragraph of three to five sentences reliably has."""


def answer_length(sampling: Sampling, cell: Cell, parts: int) -> str:
    """Return the length of the answer to each of `parts` parts, to follow "Answer in" in a prompt.

    The length fits `max_tokens`, the cell's length target, and in the short form the query type's `min_words`. The
    short form supports no length target other than "short"; flows/config.py rejects the others.
    """
    if cell.length and is_short_form(sampling):
        return f"one paragraph of {'one or two' if parts > 1 else 'two to four'} sentences, without a list"
    if cell.length:
        return word_range(cell.length)
    if is_short_form(sampling):
        is_long = cell.query_type is not None and cell.query_type.min_words > WORDS_OF_A_SHORT_PARAGRAPH * parts
        sentences = "five to seven" if is_long else "three to five" if parts == 1 else "two or three"
        return f"one paragraph of {sentences} sentences, without a list"
    return f"at most {min(MAX_ANSWER_WORDS, sampling.max_tokens // 2)} words"


def word_range(length: str) -> str:
    """Return the number of words for a length target ("short", "medium" or "long"), such as "200 to 400 words"."""
    fewest, most = WORD_RANGES[length]
    return f"at most {most} words" if length == "short" else f"{fewest} to {most} words"
