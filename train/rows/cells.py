"""The cell of an exported row, for whatever checks or grades another answer to its prompt."""

from collections.abc import Mapping
from typing import Any

from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Topic

CELL_COLUMNS = ("kind", "skills", "topic", "query_type", "length", "language")
"""The columns of a row that say what its cell asks for."""


def cell_of(row: Mapping[str, Any], by_name: Mapping[str, Skill], seed: int = 0) -> Cell:
    """Return the cell of a row with the columns `CELL_COLUMNS`.

    A skill that is not in `by_name` has no definition and no rule. A row of others, with nulls, asks for nothing.
    """
    return Cell(
        kind=row["kind"],
        index=0,
        skills=tuple(by_name.get(name) or Skill(name=name) for name in row["skills"] or ()),
        topic=Topic(name=row["topic"]) if row["topic"] else None,
        query_type=QueryType(name=row["query_type"]) if row["query_type"] else None,
        seed=seed,
        length=row["length"],
        language=row["language"],
    )
