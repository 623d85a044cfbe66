"""What a reasoning teacher thought, in exported rows: dropped, in a column of its own, or before the answer."""

import re
from typing import TYPE_CHECKING, Literal

from skillmill.data.records import Message, SampleRow

if TYPE_CHECKING:
    import pyarrow as pa

Thinking = Literal["drop", "column", "inline"]
"""`column`: the column `thinking`. `inline`: the answer begins with the thinking between `<think>` and `</think>`."""

THINKING = "thinking"
DRAFT_THINKING = "draft_thinking"
_TAGS = re.compile(r"</?think>")


def exported_schema(schema: "pa.Schema", form: Thinking) -> "pa.Schema":
    """Return the schema of exported rows: without the thinking of drafts, with that of answers in the form `column`."""
    import pyarrow as pa  # takes 0.1 s, and the configuration imports this module

    hidden = {DRAFT_THINKING, *([] if form == "column" else [THINKING])}
    return pa.schema([field for field in schema if field.name not in hidden])


def exported_row(row: SampleRow, form: Thinking) -> dict[str, object]:
    """Return the columns of a row that `exported_schema` has. A row without thinking or answer is never changed."""
    hidden = {DRAFT_THINKING, *([] if form == "column" else [THINKING])}
    exported = {column: value for column, value in row.items() if column not in hidden}
    if form == "inline" and row["thinking"]:
        exported["completion"] = with_thinking(row["completion"], row["thinking"])
    return exported


def with_thinking(completion: list[Message], thinking: str) -> list[Message]:
    """Return the messages of an answer, the first of which begins with the thinking, as most reasoning models have it.

    Tags `<think>` inside the thinking are left out, because they would end it.
    """
    return [
        {**message, "content": f"<think>\n{_TAGS.sub('', thinking).strip()}\n</think>\n\n{message['content']}"}
        if place == 0
        else message
        for place, message in enumerate(completion)
    ]
