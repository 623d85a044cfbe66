"""Examples to pull skills out of: a sample of any dataset, by any column or chat format, at constant memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import pyarrow as pa

from skillmill.data.errors import ConfigError
from skillmill.data.files import store_errors, sync, temporary_path
from skillmill.data.inputs.datasets import plain_text, read_dataset
from skillmill.data.parquet import parquet_writer
from skillmill.skill_taxonomy.draw.permutation import Permutation, permutation
from skillmill.skill_taxonomy.sources import TaxonomyConfig

CHATS = ("messages", "conversations", "conversation")
REQUESTS = ("prompt", "instruction", "question", "problem", "query", "text")
ANSWERS = ("completion", "output", "response", "answer", "solution", "chosen", "instances")
"""Columns that are recognised, the first that is there; `input` goes with an instruction."""

ROW_GROUP = 1000

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
"""`taxonomy_examples.parquet`: an example, the teacher's own words for it, and the skills of the taxonomy it takes."""


@dataclass(frozen=True, slots=True)
class Example:
    """What was asked and what was answered; one text where a row has only one."""

    row: int
    request: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What the teacher said of an example: its subject, fine labels, and skills of the taxonomy."""

    subject: str = ""
    labels: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examples(Sequence[Example]):
    """`size` rows of a table in a random order that the seed decides; a larger sample begins with a smaller one.

    Rows are read when they are asked for: a `datasets.Dataset` lies in a file, and so does what this holds of it.
    """

    name: str
    table: Any
    columns: tuple[tuple[str, ...], tuple[str, ...]]
    size: int
    seed: int

    def __len__(self) -> int:
        return self.size

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
    """A sample of the configured dataset; a local file is laid out as Arrow in `cache`, which memory maps.

    Raises `ConfigError` where it cannot be had, is empty, or has no column that is known or asked for.
    """
    name = config.dataset or ""
    table = read_dataset("taxonomy.dataset", name, config.subset, config.split, cache)
    if not len(table):
        raise ConfigError(f"taxonomy.dataset: {name} is empty")
    columns = _columns(config, table.column_names)
    table = table.select_columns([column for part in columns for column in part])
    shown = Path(name).name if Path(name).exists() else name  # a hub's name has its owner in it
    examples = Examples(shown, table, columns, min(config.examples, len(table)), seed)
    if not any(example.request for example in examples):
        raise ConfigError(f"taxonomy.column: {', '.join(columns[0])} holds no text in {name}")
    return examples


def example_of(row: int, values: Mapping[str, Any], requests: Sequence[str], answers: Sequence[str]) -> Example:
    """The first user turn of a chat is the request and what follows is the answer, as are the `answers` columns."""
    parts = [_turns_of(values[column]) for column in requests]
    asked = [request for request, _ in parts]
    answered = [answer for _, answer in parts] + [plain_text(values[column]) for column in answers]
    return Example(row, *("\n\n".join(filter(None, texts)) for texts in (asked, answered)))


def write_exemplars(path: Path, examples: Examples, labelled: Sequence[Labelled]) -> None:
    """Examples and what was said of them, row group by row group; whole or not at all. Raises `StoreError`."""
    with store_errors(f"cannot write {path}"):
        with parquet_writer(temporary_path(path), SCHEMA, "snappy") as writer:
            for start in range(0, len(labelled), ROW_GROUP):
                rows = list(_rows(examples, labelled, range(start, min(start + ROW_GROUP, len(labelled)))))
                writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
        sync(temporary_path(path))
        temporary_path(path).replace(path)
        sync(path.parent)


def _rows(examples: Examples, labelled: Sequence[Labelled], places: range) -> Iterator[dict[str, Any]]:
    for place in places:
        example, said = examples[place], labelled[place]
        texts = {"row": example.row, "request": example.request, "answer": example.answer}
        yield texts | {"subject": said.subject, "labels": said.labels, "skills": said.skills}


def _turns_of(value: Any) -> tuple[str, str]:
    """(request, answer) of a chat; (text, "") of anything else."""
    if not (isinstance(value, list) and value and all(isinstance(turn, Mapping) for turn in value)):
        return plain_text(value), ""
    speakers = [str(turn.get("role", turn.get("from"))).lower() for turn in value]
    first = next((i for i, speaker in enumerate(speakers) if speaker in ("user", "human")), None)
    if first is None:
        return plain_text(value), ""
    return plain_text(value[first]), plain_text(value[first + 1 :])


def _columns(config: TaxonomyConfig, there: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if config.column is not None:
        asked = (config.column,) if isinstance(config.column, str) else config.column
        if unknown := [column for column in asked if column not in there]:
            raise ConfigError(
                f"taxonomy.column: there is no {unknown[0]!r} in {config.dataset}, expected of {', '.join(there)}"
            )
        return asked, ()
    for chat in CHATS:
        if chat in there:
            return (chat,), ()
    request = next((column for column in REQUESTS if column in there), None)
    if request is None:
        raise ConfigError(
            f"taxonomy.column: {config.dataset} is in no format that is known, expected the name of a column, "
            f"one or several of {', '.join(there)}"
        )
    requests = (request, "input") if request == "instruction" and "input" in there else (request,)
    return requests, tuple(column for column in ANSWERS if column in there)[:1]
