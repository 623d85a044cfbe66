"""Rejects texts that repeat skillmill's own prompts."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from pydantic import Field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.repetition import ngrams, spaced_ngrams
from skillmill.data.text.words import words
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell

# The prompts are read from the generators' folder as data; their code is not imported.
_GENERATORS = Path(__file__).parents[2] / "generators"
_NOT_TEXT = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
"""A comment, a statement or a variable of a Jinja template."""


class PromptFragment(RowFilter):
    """Rejects a text that shares an n-gram of words with a prompt of skillmill.

    Checks the answer, and the instruction unless the cell is a Skill-Mix cell, whose instruction is a prompt. Worked
    examples are left out: a generator gives the reason `prompt_copy` for those.
    """

    reason = Reason("prompt_fragment", "the text repeats eight words in a row of skillmill's own prompts")
    signals = ("prompt_runs",)

    min_words: int = Field(8, ge=4)
    """The length n, in words, of the n-grams that no text may share with a prompt."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict; signal `prompt_runs` is the number of shared n-grams."""
        texts = (sample.response,) if cell.kind == SKILL_MIX else (sample.instruction, sample.response)
        shared = sum(_shared_with_prompts(words(text), self.min_words) for text in texts)
        return self.verdict(shared > 0, prompt_runs=shared)


def _shared_with_prompts(tokens: Sequence[str], n: int) -> int:
    """Return the number of n-grams of the tokens that a prompt has."""
    if _prompt_ngrams((n + 1) // 2).isdisjoint(spaced_ngrams(tokens, n)):
        return 0
    return sum(map(_prompt_ngrams(n).__contains__, ngrams(tokens, n)))


@cache
def _prompt_ngrams(n: int) -> frozenset[tuple[str, ...]]:
    """Return the n-grams of words of all prompts; no n-gram spans a variable."""
    templates = [path for path in sorted(_GENERATORS.rglob("*.jinja")) if not path.stem.startswith("example")]
    pieces = (piece for path in templates for piece in _NOT_TEXT.split(path.read_text(encoding="utf-8")))
    return frozenset(ngram for piece in pieces for ngram in ngrams(words(piece), n))
