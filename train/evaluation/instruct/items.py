"""The items of an instruct evaluation: held-out rows of the export with their reference answers."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from skillmill.data.errors import ConfigError
from skillmill.data.records import Message, text_of
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import Skill
from skillmill.train.evaluation.instruct.config import RowSplit
from skillmill.train.rows.cells import CELL_COLUMNS, cell_of

COLUMNS = ["id", "split", "seed", "prompt", "completion", *CELL_COLUMNS]


@dataclass(frozen=True)
class InstructItem:
    """A held-out instruction: its row's `id` and split, the prompt, the reference answer and the cell of its row."""

    id: str
    split: RowSplit
    prompt: list[Message]
    reference: str
    cell: Cell

    @property
    def instruction(self) -> str:
        """The user's message."""
        return text_of(self.prompt)


def held_out_items(
    export: Path, splits: Sequence[RowSplit], samples: int, seed: int, skills: Mapping[str, Skill]
) -> list[InstructItem]:
    """Return at most `samples` held-out rows of the configuration `sft` of an exported dataset, in order of a hash.

    The hash of seed and id decides, so that each larger sample holds the smaller ones. `skills` are those of the
    taxonomy by name. Raises `ConfigError` if the splits have no rows.
    """
    ids = {
        row["id"]: path
        for split in splits
        for path in sorted((export / "sft").glob(f"{split}-*.parquet"))
        for row in pq.read_table(path, columns=["id"]).to_pylist()
    }
    if not ids:
        raise ConfigError(
            f"evaluate.instruct: {export} has no rows in {' or '.join(splits)}; hold out a share of the rows with "
            "export.validation, such as 0.1, and run `skillmill export`"
        )
    drawn = sorted(ids, key=lambda row_id: hashlib.sha256(f"{seed}:{row_id}".encode()).digest())[:samples]
    wanted = set(drawn)
    rows: dict[str, Any] = {}
    for path in sorted({ids[row_id] for row_id in drawn}):
        rows |= {row["id"]: row for row in pq.read_table(path, columns=COLUMNS).to_pylist() if row["id"] in wanted}
    return [_item(rows[row_id], skills) for row_id in drawn]


def _item(row: Mapping[str, Any], skills: Mapping[str, Skill]) -> InstructItem:
    cell = cell_of(row, skills, row["seed"])
    return InstructItem(row["id"], row["split"], row["prompt"], text_of(row["completion"]), cell)
