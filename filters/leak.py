"""Is a skill named where it should be shown?"""

import re
from functools import lru_cache

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.config import SkillNamed
from skillmill.filters.form import SKILL_MIX
from skillmill.filters.text import phrase_pattern
from skillmill.filters.verdict import Verdict, verdict
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import Skill


def skill_named(sample: Sample, cell: Cell, options: SkillNamed) -> Verdict:
    """Skill-Mix: the text names one of its skills. Instruct-SkillMix: the instruction does.

    A name counts up to its first "(", case aside, as whole words with a plural s allowed (Skill-Mix's own rule,
    papers.md 1.7, takes any substring, so that "metaphor" fires on "metaphorical"; ours does not).
    """
    text = sample.response if cell.kind == SKILL_MIX else sample.instruction
    named = sum(_names(skill, options.aliases, text) for skill in cell.skills)
    return verdict(Reason.SKILL_NAMED, named > 0, skills_named=named)


def _names(skill: Skill, aliases: bool, text: str) -> bool:
    pattern = _pattern((skill.name, *skill.aliases) if aliases else (skill.name,))
    return pattern is not None and pattern.search(text) is not None


@lru_cache(maxsize=10_000)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str] | None:
    return phrase_pattern(name.split("(", 1)[0] or name for name in names)
