"""The protocol that every generator implements: one cell in, one or more samples out."""

from typing import Protocol

from skillmill.data.records import Sample
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import Teacher


class Generator(Protocol):
    """A class whose constructor takes the teacher's sampling and the number of generations per cell."""

    @property
    def kind(self) -> str:
        """The value of the rows' column `kind`. Cells of kind "skill_mix" have a topic, all others a query type."""
        ...

    @property
    def prompts(self) -> str:
        """The fingerprint of the generator's prompt files."""
        ...

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        """Return all samples of one cell, one per generation.

        A reply that cannot be used gives a sample with a reason. Raises `RequestFailed` if a request gets no reply.
        """
        ...
