"""Arrow types for the columns of text files, found from all values before the first is written."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

EXACT = 2**53
"""Integers up to this size are exact as 64-bit floats."""
FIELDS = 200
"""A value with more fields is read as text: its keys are data, and Arrow would store each of them in each row."""

_INTEGER = r"^(0|-?[1-9]\d{0,17})$"
_NUMBER = r"^-?(0|[1-9]\d{0,14})(\.\d{1,17})?([eE][-+]?\d{1,2})?$"


@dataclass
class ColumnTypes:
    """The types of columns, from the batches that were added.

    Attributes:
        typed: Whether values have types. Texts, as in CSV, become numbers only if all are plain numbers.
        changing: The numbers of the columns whose values have no common type; they are strings.
    """

    typed: bool
    changing: set[int] = field(default_factory=set)
    _types: dict[int, pa.DataType] = field(default_factory=dict)
    _large: set[int] = field(default_factory=set)

    def add(self, columns: dict[int, list[object]]) -> None:
        """Take the values of a batch, by column number, into account."""
        for place, values in columns.items():
            if place not in self.changing:
                self._add(place, values)

    def type(self, place: int) -> pa.DataType:
        """Return the type of a column, string if it has no values."""
        found = self._types.get(place, pa.null())
        return pa.string() if place in self.changing or found == pa.null() or _has_empty(found) else found

    def _add(self, place: int, values: list[object]) -> None:
        before = self._types.get(place, pa.null())
        if not self.typed and before == pa.string():
            return
        array = _array(values) if self.typed else _numbers(values)
        if array is None or _fields(array.type) > FIELDS:
            self.changing.add(place)
            return
        if pa.types.is_int64(array.type) and pc.any(pc.greater(pc.abs(array), EXACT)).as_py():
            self._large.add(place)
        common = _common(before, array.type, exact=place not in self._large)
        if common is not None:
            self._types[place] = common
        elif self.typed:
            self.changing.add(place)
        else:
            self._types[place] = pa.string()


def arrow_column(values: Sequence[object] | None, rows: int, data_type: pa.DataType) -> pa.Array:
    """Return values of a text file as a column of a type that `ColumnTypes` found; None is a column of nulls."""
    if values is None:
        return pa.nulls(rows, data_type)
    if pa.types.is_string(data_type):
        return pa.array([_text(value) for value in values], data_type)
    if values and all(isinstance(value, str) for value in values):  # numbers of CSV
        return pc.cast(pa.array([value or None for value in values], pa.string()), data_type)
    return pa.array(values, data_type)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _array(values: list[object]) -> pa.Array | None:
    """Return values as an array, None if they have no common type."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return None


def _numbers(values: list[object]) -> pa.Array:
    """Return texts as an array of integers or floats if all are numbers that lose nothing, else as strings."""
    texts = pa.array([value or None for value in values], pa.string())
    if texts.null_count == len(texts):
        return pa.nulls(len(texts))
    for pattern, data_type in ((_INTEGER, pa.int64()), (_NUMBER, pa.float64())):
        if pc.all(pc.match_substring_regex(texts, pattern)).as_py():
            return pc.cast(texts, data_type)
    return texts


def _common(one: pa.DataType, other: pa.DataType, exact: bool) -> pa.DataType | None:
    """Return the type that holds the values of both types, None if there is none.

    Integers and floats are floats only if all integers are exact as floats.
    """
    if {one, other} == {pa.int64(), pa.float64()}:
        return pa.float64() if exact else None
    try:
        return pa.unify_schemas([pa.schema([("", one)]), pa.schema([("", other)])]).field(0).type
    except pa.ArrowException:
        return None


def _fields(data_type: pa.DataType) -> int:
    """Return the number of fields in a type, at all depths."""
    return 1 + sum(_fields(data_type.field(place).type) for place in range(data_type.num_fields))


def _has_empty(data_type: pa.DataType) -> bool:
    """Return whether a type has a structure without fields, which Parquet cannot store."""
    if pa.types.is_struct(data_type) and not data_type.num_fields:
        return True
    return any(_has_empty(data_type.field(place).type) for place in range(data_type.num_fields))
