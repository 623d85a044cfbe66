"""The columns of a table of points: parsing, validation, and errors that name the column and the row."""

import ast
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from skillmill.data.errors import ConfigError
from skillmill.train.evaluation.skill_mix_metrics import OTHER_POINTS, Codes, Numbers

KEYS = ["combination", "generation", "grading"]
"""The columns that identify a row."""
EXPECTED = {
    "combination": "what the text was asked for: a name or number",
    "generation": "which text of the combination it is: a name or number",
    "grading": "which grading of the text it is: a name or number",
    "k": "the number of skills, 1 or more",
    "points": "a list of k + 3 points from 0 to 1: one a skill, then on topic, makes sense, within the limit",
    "skills": "a list of the combination's k skills, in the order of their points",
    "category": "the combination's category, or a list of k, one a skill",
    "response": "the graded text",
}
"""All columns and their values, as error messages state them."""
REQUIRED = [*KEYS, "k", "points"]

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Keys:
    """The keys of each row: a frame with k and the codes of the columns `KEYS`, and the names of the codes."""

    codes: pd.DataFrame
    names: dict[str, list[str]]

    def describe(self, row: int) -> str:
        """Return the keys of a row for an error message."""
        return ", ".join(f"{name} {self.names[name][self.codes[name][row]]}" for name in KEYS)


def row_error(column: str, keys: Keys, invalid: Mask, problem: str) -> ConfigError:
    """Return the error about the first invalid row."""
    return ConfigError(f"{column}: {keys.describe(int(invalid.argmax()))}: {problem}; expected {EXPECTED[column]}")


def read_keys(table: pa.Table) -> Keys:
    """Return the keys of all rows. Raises `ConfigError` for an empty key, or a k that is no integer above 0."""
    try:
        ks = table["k"].cast(pa.int64()).combine_chunks()
    except pa.ArrowException:
        raise ConfigError(f"k: found {table['k'].type} values; expected {EXPECTED['k']}") from None
    if ks.null_count or pc.min(ks).as_py() < 1:
        raise ConfigError(f"k: found {'an empty value' if ks.null_count else pc.min(ks)}; expected {EXPECTED['k']}")
    codes, names = {"k": ks.to_numpy()}, {}
    for name in KEYS:
        column = table[name].combine_chunks()
        if column.null_count:
            raise ConfigError(f"{name}: found an empty value; expected {EXPECTED[name]}")
        if pa.types.is_nested(column.type):  # a combination may be given as its list of skills
            column = pa.array([str(value) for value in column.to_pylist()])
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        codes[name] = encoded.indices.to_numpy().astype(np.int64)
        names[name] = [str(value) for value in encoded.dictionary.to_pylist()]
    return Keys(pd.DataFrame(codes), names)


def fold_points(table: pa.Table) -> pa.Table:
    """Return the table with one row per grading and `points` as lists.

    A table whose `points` is a number has k + 3 rows per grading, in the order of the points; they become one row.
    Other tables are returned unchanged. Raises `ConfigError` for a grading with another number of rows.
    """
    numbers = table["points"].combine_chunks()
    if not (
        pa.types.is_integer(numbers.type) or pa.types.is_floating(numbers.type) or pa.types.is_boolean(numbers.type)
    ):
        return table
    keys = read_keys(table)
    grading = keys.codes.groupby(["k", *KEYS], sort=False).ngroup().to_numpy()
    order, sizes = np.argsort(grading, kind="stable"), np.bincount(grading)
    ends = np.cumsum(sizes)
    first = order[ends - sizes]
    invalid = sizes != keys.codes["k"].to_numpy()[first] + OTHER_POINTS
    if invalid.any():
        row, size = int(first[invalid.argmax()]), int(sizes[invalid.argmax()])
        problem = "one number, and a total does not tell the points apart" if size == 1 else f"{size} rows of numbers"
        raise ConfigError(
            f"points: {keys.describe(row)}: found {problem}; expected {EXPECTED['points']}, "
            f"or k + 3 rows with a point each"
        )
    lists = pa.ListArray.from_arrays(pa.array([0, *ends], pa.int32()), numbers.cast(pa.float64()).take(order))
    position = table.column_names.index("points")
    return table.take(first).set_column(position, "points", lists).combine_chunks()


def read_lists(table: pa.Table, name: str, value_type: pa.DataType) -> pa.ListArray:
    """Return a column as lists of `value_type`; text is parsed as a list. Raises `ConfigError` for other values."""
    column = table[name].combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_list_view(column.type) or pa.types.is_large_list_view(column.type):
        column = pa.array(column.to_pylist())  # pyarrow's cast of a list view loses rows
    try:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            parse = _parse_numbers if value_type == pa.float64() else _parse_names
            lists = [None if text is None else parse(text) for text in column.to_pylist()]
            column = pa.array(lists, pa.list_(value_type))
        return column.cast(pa.list_(value_type))
    except (pa.ArrowException, ValueError, SyntaxError) as error:
        cause = str(error).splitlines()[0][:100]
        raise ConfigError(f"{name}: found {table[name].type} values ({cause}); expected {EXPECTED[name]}") from None


def read_labels(table: pa.Table, name: str) -> pa.ListArray:
    """Return the column `skills` or `category` as lists of strings; a single category becomes a list of one."""
    if name == "skills" or pa.types.is_nested(table[name].type):
        return read_lists(table, name, pa.string())
    values = table[name].cast(pa.string()).combine_chunks()
    return pa.ListArray.from_arrays(pa.array(np.arange(len(values) + 1), pa.int32()), values)


def point_matrix(lists: pa.ListArray, keys: Keys, rows: Codes, k: int) -> Numbers:
    """Return the points of the rows, (rows, k + 3). Raises `ConfigError` for a value outside 0..1."""
    width = k + OTHER_POINTS
    points: Numbers = _flat_values(lists, keys, rows, "points", width).to_numpy().reshape(-1, width).copy()
    if (outside := ~((points >= 0) & (points <= 1))).any():
        invalid = np.zeros(len(lists), bool)
        invalid[rows] = outside.any(axis=1)
        raise row_error("points", keys, invalid, f"found {points[outside][0]:g}")
    return points


def label_codes(lists: pa.ListArray, names: list[str], keys: Keys, rows: Codes, column: str, k: int) -> Codes:
    """Return the labels of the rows as positions in `names`, (rows, k), or (rows, 1) for one category per combination.

    Raises `ConfigError` if two rows of a combination have different labels.
    """
    is_single = column == "category" and (pc.list_value_length(lists).to_numpy(zero_copy_only=False)[rows] == 1).all()
    width = 1 if is_single else k
    values = _flat_values(lists, keys, rows, column, width)
    codes: Codes = pc.index_in(values, pa.array(names, pa.string())).to_numpy().astype(np.int64).reshape(-1, width)
    _, first, of_row = np.unique(keys.codes["combination"].to_numpy()[rows], return_index=True, return_inverse=True)
    invalid = np.zeros(len(lists), bool)
    invalid[rows] = (codes != codes[first][of_row]).any(axis=1)
    if invalid.any():
        raise row_error(column, keys, invalid, "found others than in an earlier row of the combination")
    return codes


def _flat_values(lists: pa.ListArray, keys: Keys, rows: Codes, column: str, width: int) -> pa.Array:
    """Return the values of the rows as one flat array. Raises `ConfigError` unless every row has `width` values."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    invalid = np.zeros(len(lengths), bool)
    invalid[rows] = lengths[rows] != width
    if invalid.any():
        k, length = keys.codes["k"][int(invalid.argmax())], lengths[invalid.argmax()]
        raise row_error(column, keys, invalid, f"found {length} for k = {k}")
    values = pc.list_flatten(lists.take(pa.array(rows)))
    if values.null_count:
        invalid[rows] = values.is_null().to_numpy(zero_copy_only=False).reshape(-1, width).any(axis=1)
        raise row_error(column, keys, invalid, "found an empty value in the list")
    return values


def _parse_numbers(text: str) -> list[float]:
    return [float(number) for number in text.strip("[]() ").replace(",", " ").split()]


def _parse_names(text: str) -> list[str]:
    """Parse a list in JSON or Python syntax, or names separated by commas."""
    if text.lstrip().startswith(("[", "(")):
        return [str(name) for name in ast.literal_eval(text.strip())]
    return [name.strip() for name in text.split(",")]
