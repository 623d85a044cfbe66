"""The decision whether an Instruct-SkillMix instruction is requested again: only if an enabled filter rejects it."""

from skillmill.data.records import Sample
from skillmill.filters.config import FiltersConfig
from skillmill.filters.options import RowFilter
from skillmill.skill_taxonomy.cells import Cell

INSTRUCTION_FILTERS = ("skill_named", "missing_material")
"""Row filters that read only the instruction. Another seed often gives an instruction that they accept."""


def is_rejected(instruction: str, cell: Cell, filters: FiltersConfig) -> bool:
    """Return whether an enabled filter of `INSTRUCTION_FILTERS` rejects the instruction, whatever its answer is.

    The filters have their configured options. Unlike `apply_filters`, this applies `missing_material` to cells in every
    language: an instruction that it rejects is in English, which is the wrong language for these cells.
    """
    sample = Sample(instruction, "")
    for name in INSTRUCTION_FILTERS:
        row_filter: RowFilter = getattr(filters, name)
        if row_filter.enabled and row_filter.check(sample, cell).reasons:
            return True
    return False
