"""The columns of a file of rows that hold instructions and responses, and their texts."""

import logging
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.chats import Layout, find_layout, read_chat, read_pair
from skillmill.data.inputs.row_files import RowFile, column_texts

log = logging.getLogger(__name__)

INSTRUCTION, RESPONSE = "--instruction", "--response"


@dataclass(frozen=True)
class PairColumns:
    """The layout of a file of rows. `named`: the columns that options name, by option; they hold texts or chats."""

    layout: Layout
    named: dict[str, str]

    @classmethod
    def of(cls, file: RowFile, instruction: str | None, response: str | None) -> "PairColumns":
        """Return the columns of a file, by the names given.

        If only one is given, or both are the same, the column holds whole chats. If none is given, the columns of the
        first known chat or instruction format are taken. Raises `ConfigError` if there are none, or if a column is
        missing or occurs twice.
        """
        options = {INSTRUCTION: instruction, RESPONSE: response}
        named = {option: column for option, column in options.items() if column is not None}
        for option, column in named.items():
            file.require(column, option)
        if named:
            first, *others = dict.fromkeys(named.values())
            return cls(Layout((first,), tuple(others)), named)
        names = file.schema.names
        layout = find_layout(names)
        if layout is None and names:
            found = ", ".join(names)
            raise ConfigError(f"{INSTRUCTION}: expected the name of a column, as no known format has only {found}")
        return cls(layout or Layout(()), {})

    def texts(self, batch: pa.RecordBatch) -> tuple[list[str], list[str], int]:
        """Return the instructions and the responses of a batch, "" where there is none, and the turns left out.

        Raises `ConfigError` if a column holds neither texts nor chats, or a chat with unknown roles.
        """
        columns = (*self.layout.requests, *self.layout.answers)
        rows = zip(*(self._values(batch, column) for column in columns), strict=True)
        pairs = [read_pair(dict(zip(columns, row, strict=True)), self.layout) for row in rows]
        further = sum(pair.further for pair in pairs)
        return [pair.request for pair in pairs], [pair.answer for pair in pairs], further

    def _values(self, batch: pa.RecordBatch, column: str) -> list[object]:
        option = next((option for option, name in self.named.items() if name == column), f"column {column!r}")
        data_type = batch.schema.field(column).type
        is_whole = not self.layout.answers
        values: list[object]
        if not pa.types.is_nested(data_type):
            values = list(column_texts(batch, column, option))
            if is_whole and not all(text == "" or read_chat(text, column, True) for text in values):
                self._raise_no_chat(column)
            return values
        values = batch.column(column).to_pylist()
        for value in values:
            if value and read_chat(value, column, is_whole) is None and self.named:
                raise ConfigError(f"{option} {column!r}: expected a column of strings, or of chats, found {data_type}")
        return values

    def _raise_no_chat(self, column: str) -> None:
        missing = RESPONSE if INSTRUCTION in self.named or not self.named else INSTRUCTION
        raise ConfigError(f"{missing}: expected the name of a column, as {column!r} holds no chats")


def read_pairs(file: RowFile, instruction: str | None, response: str | None) -> tuple[list[str], list[str]]:
    """Return the instructions and responses of all rows of a file. Raises `ConfigError` as `PairColumns` does.

    The message of `log_further_turns` is logged.
    """
    columns = PairColumns.of(file, instruction, response)
    instructions, responses, further = list[str](), list[str](), 0
    for batch in file.batches([*columns.layout.requests, *columns.layout.answers]):
        of_batch = columns.texts(batch)
        instructions += of_batch[0]
        responses += of_batch[1]
        further += of_batch[2]
    log_further_turns(file.path, further)
    return instructions, responses


def log_further_turns(path: Path, further: int) -> None:
    """Log how many turns of chats after the first answer were left out, if any."""
    if further:
        log.warning(
            "%s: the first answer of each chat is read with the first request; further turns left out: %d",
            path.name,
            further,
        )
