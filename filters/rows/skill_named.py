"""Rejects texts that name one of their skills."""

import re
from collections.abc import Sequence
from functools import lru_cache

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.folding import folded
from skillmill.data.text.phrases import BETWEEN_WORDS, NAME_END, NAME_START, phrase_pattern
from skillmill.data.text.words import INVISIBLE, words
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell
from skillmill.skill_taxonomy.taxonomy import Skill

_SUFFIX = re.compile(r"(?<=\w{3})(?:ing|ed|es|s|e|y)$")
_DOUBLED = re.compile(r"(?<=\w\w)([bdglmnprt])\1$")
"""A doubled last consonant, as in "planning" for "plan"."""


class SkillNamed(RowFilter):
    """Rejects a Skill-Mix text, or an Instruct-SkillMix instruction, that names one of its skills.

    A name matches up to its first "(", in any case, as whole words and with a plural s. Skill-Mix (arXiv 2310.17567)
    matches any substring instead, so that "metaphor" matches "metaphorical". In scripts without spaces, such as
    Chinese, a name matches anywhere. A name of several words also matches in
    any inflection with its words in the same order: "assessed risks" does not match "risk assessment". The inflections
    of a single word do not match, because they are ordinary words.
    """

    reason = Reason("skill_named", "a skill is named where it should be shown")
    signals = ("skills_named",)

    aliases: bool = True
    """Whether the other names of a skill match too."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict; signal `skills_named` is the number of the cell's skills that the text names."""
        text = _normalised(sample.response if cell.kind == SKILL_MIX else sample.instruction)
        named = sum(_is_named(skill, self.aliases, text) for skill in cell.skills)
        return self.verdict(named > 0, skills_named=named)


def _is_named(skill: Skill, aliases: bool, text: str) -> bool:
    names = (skill.name, *skill.aliases) if aliases else (skill.name,)
    return any(pattern.search(text) for pattern in _patterns(names))


@lru_cache(maxsize=10_000)
def _patterns(names: tuple[str, ...]) -> list[re.Pattern[str]]:
    shortened = [_normalised(name.split("(", 1)[0] or name) for name in names]
    plain = phrase_pattern(shortened)
    inflected = [_inflected(parts) for name in shortened if len(parts := words(name.replace("-", " "))) > 1]
    return ([plain] if plain else []) + inflected


def _normalised(text: str) -> str:
    """Return the text folded (`folded`), without invisible characters, with "and" for a separate "&"."""
    return folded(text if text.isascii() else text.translate(INVISIBLE)).replace(" & ", " and ")


def _inflected(parts: Sequence[str]) -> re.Pattern[str]:
    """Return a pattern for the words in their order, each with any of the common endings of English.

    It is not made from `skillmill.data.text.stems`, because verdicts would change: in 500 rows of real answers, 20
    more texts would name one of their skills.
    """
    return re.compile(NAME_START + rf"{BETWEEN_WORDS}+".join(map(_with_endings, parts)) + NAME_END, re.IGNORECASE)


def _with_endings(word: str) -> str:
    base = _SUFFIX.sub("", word)
    if len(base) < 3:
        return re.escape(word)
    ended = re.escape(base) + r"(?:e|s|es|ed|er|ers|ing|ings|y|ies|ied|ying|ly)?"
    return rf"(?:{ended}|{re.escape(base[:-1])}s?)" if base != word and _DOUBLED.search(base) else ended
