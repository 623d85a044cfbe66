"""Examples for the extraction: a sample of a dataset in any known chat or instruction format, at constant memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import pyarrow as pa

from skillmill.data.errors import ConfigError
from skillmill.data.files import store_errors, sync, temporary_path
from skillmill.data.inputs.chats import find_layout, join, read_chat
from skillmill.data.inputs.datasets import plain_text, read_dataset
from skillmill.data.parquet import parquet_writer
from skillmill.skill_taxonomy.draw.permutation import Permutation, permutation
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import MAX_TEXT_CHARS

ROW_GROUP = 1000
"""Rows per row group of the table of labelled examples."""

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("request", pa.string()),
        ("answer", pa.string()),
        ("subject", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("skills", pa.list_(pa.string())),
    ]
)
"""The schema of `taxonomy_examples.parquet`: an example, its subject, its fine labels and its skills."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row of the dataset.

    Attributes:
        row: The number of the row in the dataset.
        request: The user's request, or the only text of the row.
        answer: The answer; "" if the row has none.
    """

    row: int
    request: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class ExampleLabels:
    """What the teacher assigned to an example.

    Attributes:
        subject: The subject; "" if no usable one was named.
        labels: Fine labels: the skills that the example needs, in the teacher's words.
        skills: The names of the skills of the taxonomy that the example needs.
    """

    subject: str = ""
    labels: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examples(Sequence[Example]):
    """`size` rows of a table in a random order; a larger sample with the same seed starts with the smaller one.

    Rows are read from the table on each access, so that a memory-mapped `datasets.Dataset` stays on disk.

    Attributes:
        name: The name of the dataset, without the folders of a local path.
        table: A sequence of rows, such as a `datasets.Dataset`.
        columns: The names of the columns with requests and of those with answers.
        size: The number of rows in the sample.
        seed: The seed of the order.
    """

    name: str
    table: Any
    columns: tuple[tuple[str, ...], tuple[str, ...]]
    size: int
    seed: int

    def __len__(self) -> int:
        return self.size

    @property
    def license(self) -> str:
        """The licence that the dataset states, "" if it states none."""
        return str(getattr(getattr(self.table, "info", None), "license", None) or "")[:MAX_TEXT_CHARS]

    @overload
    def __getitem__(self, place: int) -> Example: ...
    @overload
    def __getitem__(self, place: slice) -> list[Example]: ...
    def __getitem__(self, place: int | slice) -> Example | list[Example]:
        if isinstance(place, slice):
            return [self[i] for i in range(self.size)[place]]
        row = self._order[range(self.size)[place]]
        return example_of(row, self.table[row], *self.columns)

    @cached_property
    def _order(self) -> Permutation:
        return permutation(len(self.table), "examples", self.seed)


def read_examples(config: TaxonomyConfig, seed: int, cache: Path) -> Examples:
    """Return a sample of the configured dataset; a local file is converted to memory-mapped Arrow files in `cache`.

    Raises `ConfigError` if the dataset cannot be loaded, is empty, or lacks the configured or any known column.
    """
    name = config.dataset or ""
    table = read_dataset("taxonomy.dataset", name, config.subset, config.split, cache, encoding=config.encoding)
    if not len(table):
        raise ConfigError(f"taxonomy.dataset: {name} is empty")
    columns = _columns(config, table.column_names)
    table = table.select_columns([column for part in columns for column in part])
    short_name = Path(name).name if Path(name).exists() else name  # a name on the hub includes its owner
    examples = Examples(short_name, table, columns, min(config.examples, len(table)), seed)
    if not max([bool(example.request) for example in examples]):  # all are read: an unknown role is an error
        raise ConfigError(f"taxonomy.column: {', '.join(columns[0])} holds no text in {name}")
    return examples


def example_of(row: int, values: Mapping[str, Any], requests: Sequence[str], answers: Sequence[str]) -> Example:
    """Return the example in a row.

    The request is the first user turn of a chat or the text of the `requests` columns. The answer is the rest of the
    chat and the text of the `answers` columns.
    """
    chats = [read_chat(values[column], column) for column in requests]
    texts = [
        chat.instruction if chat else plain_text(values[column]) for chat, column in zip(chats, requests, strict=True)
    ]
    rest = [chat.rest for chat in chats if chat]
    return Example(row, join(texts), join([*rest, *(_answer(values[column], column) for column in answers)]))


def write_labelled_examples(path: Path, examples: Examples, labels: Sequence[ExampleLabels]) -> None:
    """Write the examples with their labels as Parquet, one row group at a time.

    An error leaves an existing file unchanged. Raises `StoreError`.
    """
    with store_errors(f"cannot write {path}"):
        with parquet_writer(temporary_path(path), SCHEMA, "snappy") as writer:
            for start in range(0, len(labels), ROW_GROUP):
                rows = list(_rows(examples, labels, range(start, min(start + ROW_GROUP, len(labels)))))
                writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
        sync(temporary_path(path))
        temporary_path(path).replace(path)
        sync(path.parent)


def _rows(examples: Examples, labels: Sequence[ExampleLabels], places: range) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table (`SCHEMA`) for the examples at the given places."""
    for place in places:
        example, own = examples[place], labels[place]
        texts = {"row": example.row, "request": example.request, "answer": example.answer}
        yield texts | {"subject": own.subject, "labels": own.labels, "skills": own.skills}


def _answer(value: object, column: str) -> str:
    """Return the text of an answer, or all turns of the chat in `chosen` after the request."""
    chat = read_chat(value, column)
    return (chat.rest or chat.response) if chat else plain_text(value)


def _columns(config: TaxonomyConfig, existing: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns with requests and those with answers.

    Raises `ConfigError` if a configured column does not exist, or if no column is known.
    """
    if config.column is not None:
        configured = (config.column,) if isinstance(config.column, str) else config.column
        if unknown := [column for column in configured if column not in existing]:
            raise ConfigError(
                f"taxonomy.column: there is no {unknown[0]!r} in {config.dataset}, expected of {', '.join(existing)}"
            )
        return configured, ()
    layout = find_layout(existing)
    if layout is None:
        raise ConfigError(
            f"taxonomy.column: {config.dataset} is in no format that is known, expected the name of a column, "
            f"one or several of {', '.join(existing)}"
        )
    return layout.requests, layout.answers
