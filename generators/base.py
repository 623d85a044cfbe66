"""The one protocol of a generator: a cell goes in, samples come out."""

from typing import Protocol

from skillmill.data.records import Sample
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import Teacher


class Generator(Protocol):
    """`kind` names it in the rows; `prompts` is the fingerprint of its prompt sources."""

    kind: str
    prompts: str

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        """All samples of one cell, one per generation.

        An unusable reply is a sample with a reason. Raises `TurnFailed` where the teacher gave no reply.
        """
        ...
