"""A cell: one random combination, the thing that a generator turns into a sample."""

import hashlib
from dataclasses import dataclass

from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Split, Topic, canonical


@dataclass(frozen=True, slots=True)
class Parent:
    """What a cell's instruction is made from: a row's id and instruction, and the operator that changes it."""

    row: str
    instruction: str
    operator: str


@dataclass(frozen=True, slots=True)
class Cell:
    """k skills with a topic (Skill-Mix) or a query type (Instruct-SkillMix).

    `index` is the raw position in the plan; `skills` are in prompt order; `seed` belongs to this cell alone;
    `split` is the part of the taxonomy that the cell was drawn from. `difficulty`, `length` and `language` are what its
    texts are to be like; None where the plan does not say. `parent` is None but where an earlier row is evolved.
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
        """Whether its texts are to be English, the language of the prompts."""
        return self.language in (None, "English")

    @property
    def k(self) -> int:
        return len(self.skills)

    @property
    def key(self) -> str:
        """What makes two cells of any two plans the same: kind, sorted skills, topic or query type, and the parent."""
        skills = sorted(canonical(skill.name) for skill in self.skills)
        about = self.topic or self.query_type
        parts = [self.kind, *skills, canonical(about.name) if about else ""]
        parts += [self.parent.row, self.parent.operator] if self.parent else []
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def derived_seed(*parts: object) -> int:
    """A 31-bit seed from anything: the same parts, the same seed, on any machine."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF
