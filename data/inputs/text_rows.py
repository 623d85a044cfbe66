"""Rows of text files: CSV and TSV, JSON with one list of objects, and JSON lines."""

import codecs
import csv
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, TypeVar

from skillmill.data.text.surrogates import without_surrogates

DELIMITERS = {".csv": ",", ".tsv": "\t"}
TEXT_FORMATS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
"""The endings of the names of text files that hold rows."""
LINES = ".txt"
"""The ending of a text file whose lines are read as the rows of a column `text`."""

BLOCK = 2**20
"""The number of characters that are read at once."""
BATCH_CHARACTERS = 16 * BLOCK
"""A batch ends after the row that reaches this number of characters."""

Columns = dict[int, list[object]]
"""The values of a batch by column number. A column that no row of the batch has is missing."""

_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SPACE = re.compile(r"\s*")
_Row = TypeVar("_Row")


class RowError(ValueError):
    """A text file that does not hold rows of the format of its name."""


@dataclass
class TextRows:
    """The rows of one text file. `names`, `surrogates` and `repeated` are complete after `columns` is read to its end.

    Attributes:
        path: The file.
        ending: One of `TEXT_FORMATS`, or `LINES`.
        size: The greatest number of rows in a batch.
        encoding: The encoding; None is UTF-8, or UTF-16 after its byte order mark.
        names: The names of the columns.
        surrogates: The number of lone surrogates in JSON that were replaced.
        repeated: The keys that come twice in an object of JSON; the last value is taken.
    """

    path: Path
    ending: str
    size: int
    encoding: str | None = None
    names: list[str] = field(default_factory=list)
    surrogates: int = 0
    repeated: list[str] = field(default_factory=list)

    @property
    def typed(self) -> bool:
        """Whether values have types, as in JSON; values of CSV are texts."""
        return self.ending not in DELIMITERS

    def columns(self) -> Iterator[tuple[Columns, int]]:
        """Yield the values of a batch by column number, and the number of its rows.

        Raises `RowError` with the line for a row that cannot be read, `UnicodeDecodeError` for another encoding, and
        the errors of `gzip` for a damaged file.
        """
        self.names, self.surrogates = [], 0
        with _open(self.path, self.encoding) as file:
            if self.ending == LINES:
                self.names = ["text"]
                for lines in _batches(((line.rstrip("\r\n"), len(line)) for line in file), self.size):
                    yield {0: list(lines)}, len(lines)
            else:
                yield from self._typed_columns(file) if self.typed else self._text_columns(file)

    def _text_columns(self, file: TextIO) -> Iterator[tuple[Columns, int]]:
        csv.field_size_limit(2**31 - 1)
        reader = csv.reader(file, delimiter=DELIMITERS[self.ending], strict=True)
        try:
            self.names = next((row for row in reader if row), [])
            lengths = ((row, sum(map(len, row))) for row in reader if row)
            for rows in _batches(lengths, self.size):
                for row in rows:
                    if len(row) != len(self.names):
                        found = f"a row that ends in line {reader.line_num} or before it has {len(row)} fields"
                        raise RowError(f"{found}, expected {len(self.names)}")
                yield dict(enumerate(map(list, zip(*rows, strict=True)))), len(rows)
        except csv.Error as error:
            raise RowError(f"line {reader.line_num}: {error}") from None

    def _typed_columns(self, file: TextIO) -> Iterator[tuple[Columns, int]]:
        places: dict[str, int] = {}
        for rows in _batches(self._objects(file), self.size):
            for name in (name for row in rows for name in row):
                places.setdefault(name, len(places))
            self.names = list(places)
            present = dict.fromkeys(name for row in rows for name in row)
            yield {places[name]: [row.get(name) for row in rows] for name in present}, len(rows)

    def _objects(self, file: TextIO) -> Iterator[tuple[dict[str, object], int]]:
        """Yield the objects of a file with the numbers of their characters."""
        values = _JsonValues(file)
        self.repeated = values.repeated
        count = 0
        for value, text, line in values:
            if not isinstance(value, dict):
                raise RowError(f"line {line}: expected a list of objects, or one object a line, found {text[:20]}")
            if _ESCAPED_SURROGATE.search(text):
                value = {self._text(key): self._without_surrogates(item) for key, item in value.items()}
            count += 1
            yield value, len(text)
        if count == 1 and self.ending == ".json" and not values.is_list:
            raise RowError("expected a list of objects, found one object; one object a line is .jsonl")

    def _without_surrogates(self, value: object) -> object:
        """Return a JSON value whose lone surrogates are replaced, and count them."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self._without_surrogates(item) for item in value]
        if isinstance(value, dict):
            return {self._text(key): self._without_surrogates(item) for key, item in value.items()}
        return value

    def _text(self, text: str) -> str:
        text, replaced = without_surrogates(text)
        self.surrogates += replaced
        return text


class _JsonValues:
    """The elements of the list in a file of JSON, or the values that follow each other in it, as in JSON lines.

    Iteration yields each value with its text and the number of its line.
    """

    def __init__(self, file: TextIO) -> None:
        self.is_list = False
        self.repeated: list[str] = []
        self._file = file
        self._text = ""
        self._place = 0
        self._line = 1
        self._decoder = json.JSONDecoder(parse_int=_integer, object_pairs_hook=self._object)

    def __iter__(self) -> Iterator[tuple[object, str, int]]:
        self.is_list = self._next_character() == "["
        if not self.is_list:
            while self._next_character():
                yield self._value()
            return
        self._place += 1
        character = self._next_character()
        while character != "]":
            yield self._value()
            character = self._next_character()
            if character == ",":
                self._place += 1
            elif character != "]":
                raise RowError(f"line {self._line} is no JSON: expected , or ] after an element of the list")
        self._place += 1
        if self._next_character():
            raise RowError(f"line {self._line} is no JSON: expected nothing after the list")

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        value = dict(pairs)
        if len(value) < len(pairs):
            keys = [key for key, _ in pairs]
            self.repeated += [key for key in value if keys.count(key) > 1 and key not in self.repeated]
        return value

    def _next_character(self) -> str:
        """Return the next character that is no white space, "" at the end of the file."""
        while True:
            if space := _SPACE.match(self._text, self._place):
                self._advance(space.end())
            end = self._place
            if end < len(self._text):
                return self._text[end]
            if not self._read():
                return ""

    def _value(self) -> tuple[object, str, int]:
        """Return the value that begins at the next character, with its text and line."""
        self._next_character()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._place)
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or not self._text[error.pos + 16 :].strip()
                if not (is_cut and self._read()):
                    line = self._line + self._text.count("\n", self._place, error.pos)
                    raise RowError(f"line {line} is no JSON: {error.msg}") from None
            except RecursionError:
                raise RowError(f"line {self._line} is no JSON that can be read: it is nested too deeply") from None
            else:
                text, line = self._text[self._place : end], self._line
                self._advance(end)
                return value, text, line

    def _advance(self, end: int) -> None:
        self._line += self._text.count("\n", self._place, end)
        self._place = end

    def _read(self) -> bool:
        """Read as much as is left to decode, at least one block; return False at the end of the file."""
        rest = self._text[self._place :]
        block = self._file.read(max(BLOCK, len(rest)))
        self._text, self._place = rest + block, 0
        return bool(block)


def known_encoding(name: str) -> bool:
    """Return whether Python can decode text in an encoding of this name."""
    try:
        b"a".decode(name)
    except (LookupError, ValueError):
        return False
    return True


def _open(path: Path, encoding: str | None) -> TextIO:
    """Open a text file, also a compressed one. A byte order mark is skipped."""
    compressed = path.suffix.lower() == ".gz"
    if encoding is None or encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        with gzip.open(path) if compressed else path.open("rb") as file:
            encoding = _BYTE_ORDER_MARKS.get(file.read(2), "utf-8-sig")
    if compressed:
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def _batches(rows: Iterator[tuple[_Row, int]], size: int) -> Iterator[list[_Row]]:
    """Yield rows, each given with its number of characters, in batches of limited size."""
    batch: list[_Row] = []
    characters = 0
    for row, length in rows:
        batch.append(row)
        characters += length
        if len(batch) == size or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _integer(text: str) -> int | str:
    """Return an integer of JSON, as text if it has too many digits for 64 bits."""
    value = int(text) if len(text) <= 20 else text
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else text
