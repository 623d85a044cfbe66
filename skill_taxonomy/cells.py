"""Cells: the random combinations of a plan, each of which a generator turns into one row."""

import hashlib
from dataclasses import dataclass

from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Split, Topic, canonical

SKILL_MIX = "skill_mix"
"""The `kind` of cells for Skill-Mix, whose generated text is the response alone."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The row that an evolved cell starts from.

    Attributes:
        row: The id of the earlier row.
        instruction: The instruction of the earlier row.
        operator: The name of the operator that changes the instruction.
    """

    row: str
    instruction: str
    operator: str


@dataclass(frozen=True, slots=True)
class Cell:
    """k skills combined with a topic (Skill-Mix) or with a query type (Instruct-SkillMix).

    Attributes:
        kind: The kind of generator that the cell is for.
        index: The position of the cell in its plan; positions of skipped cells count.
        skills: The skills in the order in which prompts list them.
        topic: The topic, or None if the cell has a query type.
        query_type: The query type, or None if the cell has a topic.
        seed: The seed of this cell, from which the seeds of its requests are derived.
        split: The split of the taxonomy that the cell was drawn from.
        difficulty: The target difficulty, or None if the plan sets none.
        length: The target length, or None if the plan sets none.
        language: The target language, or None if the plan sets none.
        parent: The row that is evolved, or None if the cell is not part of an evolution.
    """

    kind: str
    index: int
    skills: tuple[Skill, ...]
    topic: Topic | None
    query_type: QueryType | None
    seed: int
    split: Split = "train"
    difficulty: str | None = None
    length: str | None = None
    language: str | None = None
    parent: Parent | None = None

    @property
    def english(self) -> bool:
        """Return whether the target language is English, which is also the language of the prompts."""
        return self.language in (None, "English")

    @property
    def k(self) -> int:
        """Return the number of skills."""
        return len(self.skills)

    @property
    def key(self) -> str:
        """Return 16 hex digits that are equal for equal cells of any two plans.

        Cells are equal if kind, set of skills, topic or query type, parent row and operator are equal.
        """
        skills = sorted(canonical(skill.name) for skill in self.skills)
        theme = self.topic or self.query_type
        parts = [self.kind, *skills, canonical(theme.name) if theme else ""]
        parts += [self.parent.row, self.parent.operator] if self.parent else []
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def derived_seed(*parts: object) -> int:
    """Return a 31-bit seed derived from the `repr` of the parts; equal parts give the same seed on any machine."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF
