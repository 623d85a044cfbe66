"""What the students of a run were trained on: the cells, skills and topics of its rows."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from skillmill.data.text.sentences import sentences
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import canonical
from skillmill.train.config import TrainConfig
from skillmill.train.rows.config import EXPORT

COLUMNS = ["skills", "topic", "completion"]
BATCH_ROWS = 4096

SkillSet = frozenset[str]


@dataclass
class TrainedOn:
    """Counts over the rows of a training, and the cells that a run has tried.

    `skills` and `topics`: the number of rows by canonical name. `pieces`: the number of sentences of the answers.
    `freed`: keys of tried cells whose rows were deleted.
    """

    rows: int = 0
    pieces: int = 0
    skills: Counter[str] = field(default_factory=Counter)
    topics: Counter[str] = field(default_factory=Counter)
    freed: frozenset[int] = frozenset()
    _cells: set[tuple[SkillSet, str]] = field(default_factory=set)
    _skill_sets: set[SkillSet] = field(default_factory=set)

    def has(self, cell: Cell) -> bool:
        """Return whether a row has the cell's skills and topic.

        A row with a query type may be about any topic, so that its skills count as seen with every topic, except a
        single skill, which is no combination.
        """
        skills = frozenset(canonical(skill.name) for skill in cell.skills)
        topic = canonical(cell.topic.name) if cell.topic else ""
        is_stored = (skills, topic) in self._cells or (len(skills) > 1 and skills in self._skill_sets)
        return is_stored or int(cell.key, 16) in self.freed

    def rows_with_skill(self, names: Iterable[str]) -> int:
        """Return in how many rows of the training a skill is that has one of the names."""
        return sum(self.skills[name] for name in {canonical(name) for name in names})

    def rows_with_topic(self, name: str) -> int:
        """Return how many rows of the training have the topic."""
        return self.topics[canonical(name)]

    def add_rows(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Add rows of the training, with the columns `COLUMNS`."""
        for row in rows.to_pylist():
            self._add_cell(row)
            self.rows += 1
            self.skills.update({canonical(name) for name in row["skills"] or ()})
            if row["topic"]:
                self.topics[canonical(row["topic"])] += 1
            self.pieces += sum(len(sentences(message["content"])) for message in row["completion"] or ())

    def add_tried(self, rows: pa.Table) -> None:
        """Add the cells of rows that may or may not be part of the training, with the columns skills and topic."""
        for row in rows.to_pylist():
            self._add_cell(row)

    def _add_cell(self, row: dict[str, Any]) -> None:
        skills = frozenset(canonical(name) for name in row["skills"] or ())
        if row["topic"]:
            self._cells.add((skills, canonical(row["topic"])))
        else:
            self._skill_sets.add(skills)


def trained_on(sets: Iterable[Path], tried: Iterable[pa.Table] = (), freed: Iterable[int] = ()) -> TrainedOn:
    """Return what the training rows of some sets have, and the cells that a run has tried.

    `sets`: exported datasets, and Parquet files. A set that is not there has no rows; neither has one with rows of
    others, which name no skills. `tried`: stored rows of the run; `freed`: the keys of cells whose rows were deleted.
    """
    seen = TrainedOn(freed=frozenset(int(key) for key in freed))
    for path in sets:
        for file in [path] if path.suffix == ".parquet" else sorted((path / "sft").glob("train-*.parquet")):
            if file.is_file():
                _add_file(seen, pq.ParquetFile(file))
    for table in tried:
        seen.add_tried(table)
    return seen


def training_sets(train: TrainConfig | None, export: Path) -> list[Path]:
    """Return the local sets of rows that the trainings of a configuration read; without trainings the export."""
    stages = [getattr(train, stage) for stage in train.stages] if train else []
    parts = [part for stage in stages for _, group in stage.groups for part in group.parts]
    return list(dict.fromkeys(export if part.data == EXPORT else Path(part.data) for part in parts)) or [export]


def _add_file(seen: TrainedOn, file: pq.ParquetFile) -> None:
    if set(COLUMNS) <= set(file.schema_arrow.names):
        for batch in file.iter_batches(BATCH_ROWS, columns=COLUMNS):
            seen.add_rows(batch)
