"""The one protocol of a generator: a cell goes in, samples come out."""

from typing import Protocol

from skillmill.data.records import Sample
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import Teacher


class Generator(Protocol):
    """A generator is made with the teacher's sampling and the number of generations."""

    @property
    def kind(self) -> str:
        """Its name in the rows. Cells of the kind "skill_mix" have a topic, all others a query type."""
        ...

    @property
    def prompts(self) -> str:
        """The fingerprint of its prompt sources."""
        ...

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        """All samples of one cell, one per generation.

        An unusable reply is a sample with a reason. Raises `RequestFailed` where the teacher gave no reply.
        """
        ...
