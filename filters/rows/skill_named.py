"""Rejects texts that name one of their skills."""

import re
from functools import lru_cache

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.folding import folded
from skillmill.data.text.phrases import phrase_pattern
from skillmill.data.text.words import INVISIBLE, words
from skillmill.filters.options import RowFilter
from skillmill.filters.rows.name_forms import name_pattern
from skillmill.filters.rows.stemmed_names import names_in_stems, stemmed_language
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell

FEW_CHARACTERS = 80
"""The language of a shorter instruction is identified together with its answer."""


class SkillNamed(RowFilter):
    """Rejects a Skill-Mix text, or an Instruct-SkillMix instruction, that names one of its skills.

    A name matches up to its first "(", in any case, as whole words and with a plural s. Skill-Mix (arXiv 2310.17567)
    matches any substring instead, so that "metaphor" matches "metaphorical". In scripts without spaces, such as
    Chinese, a name matches anywhere. A name of several words also matches in its English forms with its words in the
    same order (`name_forms`): "assessed risks" does not match "risk assessment", and neither does "risk assessor". The
    English forms of a single word do not match, because they are ordinary words. A text in another language that has
    Snowball stems is also compared by stems (`stemmed_names`).
    """

    reason = Reason("skill_named", "a skill is named where it should be shown")
    signals = ("skills_named",)

    aliases: bool = True
    """Whether the other names of a skill match too."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict; signal `skills_named` is the number of the cell's skills that the text names."""
        text = sample.response if cell.kind == SKILL_MIX else sample.instruction
        normalised = _normalised(text)
        names = [(skill.name, *skill.aliases) if self.aliases else (skill.name,) for skill in cell.skills]
        unnamed = [each for each in names if not _is_named(each, normalised)]
        if unnamed and (language := stemmed_language(_enough(text, sample), cell.language)):
            unnamed = [each for each in unnamed if not names_in_stems(_shortened(each), text, language)]
        named = len(names) - len(unnamed)
        return self.verdict(named > 0, skills_named=named)


def _enough(text: str, sample: Sample) -> str:
    """Return the text, with the answer if the text is too short for its language to be identified."""
    return text if len(text) >= FEW_CHARACTERS else f"{text}\n{sample.response}"


def _is_named(names: tuple[str, ...], text: str) -> bool:
    """Return whether a normalised text has one of the names as it is, or in one of its English forms."""
    for parts, pattern in _patterns(names):  # noqa: SIM110 - any() takes longer
        if all(part in text for part in parts) and pattern.search(text):
            return True
    return False


@lru_cache(maxsize=10_000)
def _patterns(names: tuple[str, ...]) -> list[tuple[list[str], re.Pattern[str]]]:
    """Return the patterns of names, each with texts that all its matches contain."""
    patterns: list[tuple[list[str], re.Pattern[str]]] = []
    for name in map(_normalised, _shortened(names)):
        parts = words(name.replace("-", " "))
        if plain := phrase_pattern([name]):
            patterns.append(([part[:-2] for part in parts if part.isascii()], plain))
        if len(parts) > 1:
            pattern, contained = name_pattern(parts)
            patterns.append((contained, pattern))
    return patterns


def _shortened(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.split("(", 1)[0] or name for name in names)


def _normalised(text: str) -> str:
    """Return the text folded (`folded`), without invisible characters, with "and" for a separate "&"."""
    return folded(text if text.isascii() else text.translate(INVISIBLE)).replace(" & ", " and ")
