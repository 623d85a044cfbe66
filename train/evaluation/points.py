"""Tables of points, however they came to be: checked, and laid out for `metrics.py`."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from skillmill.data.errors import ConfigError
from skillmill.data.text.phrases import phrase_pattern
from skillmill.train.evaluation.metrics import OTHER_POINTS, Codes, Gradings, Numbers

KEYS = ["combination", "generation", "grading"]
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
"""The columns. Those behind `points` need not be there."""
REQUIRED = [*KEYS, "k", "points"]

Naming = Literal["ignore", "substring", "words"]
"""Whether a skill loses its point where the text names it: never; where the name stands anywhere, within a longer word
too (Skill-Mix's own rule); or where it stands as whole words, a plural allowed. A name counts up to its first "("."""


@dataclass(frozen=True)
class PointsTable:
    """What `skill_mix_metrics` takes, and what was left out on the way to it."""

    gradings: list[Gradings]
    """One for each k, in order; codes are the same in all."""
    generations: list[str]
    skills: list[str]
    categories: list[str]
    unusable: int
    """Gradings without points (a grader's reply that could not be read): they have no part in the vote."""
    excluded: int
    """Gradings of combinations with an excluded skill."""
    deducted: int
    """Points taken from skills that the text names."""


def read_points(table: pa.Table, exclude: Sequence[str] = (), naming: Naming = "ignore") -> PointsTable:
    """The gradings in a table with the columns of `EXPECTED`. Raises `ConfigError` that names the column and the row.

    Lists may be text, as CSV has them ("[1, 0, 1, 1]" or "1,0,1,1"). `points` may also be a number a row, in k + 3
    rows a grading in their order. Combinations with a skill of `exclude` are left out, case aside.
    """
    needed = [*REQUIRED, *(["skills"] if exclude or naming != "ignore" else [])]
    needed += ["response"] if naming != "ignore" else []
    for name in needed:
        if name not in table.column_names:
            there = ", ".join(table.column_names) or "none"
            raise ConfigError(f"{name}: there is no such column (expected {EXPECTED[name]}); the table has {there}")
    if not table.num_rows:
        raise ConfigError("points: the table has no rows")
    table = _folded(table.select([name for name in EXPECTED if name in table.column_names]).combine_chunks())
    keys = _keys(table)
    if (twice := keys.codes.duplicated().to_numpy()).any():
        raise _wrong("grading", keys, twice, "is in the table twice")

    points = _lists(table, "points", pa.float64())
    labels = {name: _labels(table, name) for name in ("skills", "category") if name in table.column_names}
    usable = pc.fill_null(pc.list_value_length(points), 0).to_numpy() > 0
    excluded = _with_any(labels["skills"], exclude) if exclude else np.zeros(len(usable), bool)
    used = usable & ~excluded
    if not used.any():
        raise ConfigError("points: no grading with points is left")
    named = {name: _names(lists, used) for name, lists in labels.items()}
    found, deducted = [], 0
    for k in np.unique(keys.codes["k"][used]).tolist():
        rows = np.flatnonzero(used & (keys.codes["k"] == k))
        codes = {name: _codes(lists, named[name], keys, rows, name, k) for name, lists in labels.items()}
        of_k = Gradings(
            _points(points, keys, rows, k),
            keys.codes["combination"].to_numpy()[rows],
            keys.codes["generation"].to_numpy()[rows],
            codes.get("skills"),
            codes.get("category"),
        )
        if naming != "ignore":
            texts = pc.fill_null(table["response"].cast(pa.string()), "").take(rows).to_pylist()
            deducted += _deduct(of_k, named["skills"], texts, naming)
        found.append(of_k)
    return PointsTable(
        found,
        keys.names["generation"],
        named.get("skills", []),
        named.get("category", []),
        unusable=int((~usable).sum()),
        excluded=int((usable & excluded).sum()),
        deducted=deducted,
    )


@dataclass(frozen=True)
class _Keys:
    """What each row is about: a frame of k and of codes of combination, generation and grading, with their names."""

    codes: pd.DataFrame
    names: dict[str, list[str]]

    def at(self, row: int) -> str:
        return ", ".join(f"{name} {self.names[name][self.codes[name][row]]}" for name in KEYS)


def _wrong(column: str, keys: _Keys, rows: npt.NDArray[np.bool_], said: str) -> ConfigError:
    """The complaint about the first of the rows that are marked."""
    return ConfigError(f"{column}: {keys.at(int(rows.argmax()))}: {said}; expected {EXPECTED[column]}")


def _keys(table: pa.Table) -> _Keys:
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
        if pa.types.is_nested(column.type):  # a combination may be its list of skills
            column = pa.array([str(value) for value in column.to_pylist()])
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        codes[name] = encoded.indices.to_numpy().astype(np.int64)
        names[name] = [str(value) for value in encoded.dictionary.to_pylist()]
    return _Keys(pd.DataFrame(codes), names)


def _folded(table: pa.Table) -> pa.Table:
    """The table with a row a grading: where `points` is a number a row, the rows of a grading become one."""
    numbers = table["points"].combine_chunks()
    if not (
        pa.types.is_integer(numbers.type) or pa.types.is_floating(numbers.type) or pa.types.is_boolean(numbers.type)
    ):
        return table
    keys = _keys(table)
    grading = keys.codes.groupby(["k", *KEYS], sort=False).ngroup().to_numpy()
    order, sizes = np.argsort(grading, kind="stable"), np.bincount(grading)
    ends = np.cumsum(sizes)
    first = order[ends - sizes]
    wrong = sizes != keys.codes["k"].to_numpy()[first] + OTHER_POINTS
    if wrong.any():
        row, size = int(first[wrong.argmax()]), int(sizes[wrong.argmax()])
        told = "one number, and a total does not tell the points apart" if size == 1 else f"{size} rows of numbers"
        raise ConfigError(
            f"points: {keys.at(row)}: found {told}; expected {EXPECTED['points']}, or k + 3 rows with a point each"
        )
    lists = pa.ListArray.from_arrays(pa.array([0, *ends], pa.int32()), numbers.cast(pa.float64()).take(order))
    at = table.column_names.index("points")
    return table.take(first).set_column(at, "points", lists).combine_chunks()


def _lists(table: pa.Table, name: str, kind: pa.DataType) -> pa.ListArray:
    column = table[name].combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_list_view(column.type) or pa.types.is_large_list_view(column.type):
        column = pa.array(column.to_pylist())  # pyarrow's cast of a view loses rows
    try:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            parse = _numbers_in if kind == pa.float64() else _words_in
            column = pa.array([None if text is None else parse(text) for text in column.to_pylist()], pa.list_(kind))
        return column.cast(pa.list_(kind))
    except (pa.ArrowException, ValueError, SyntaxError) as error:
        said = str(error).splitlines()[0][:100]
        raise ConfigError(f"{name}: found {table[name].type} values ({said}); expected {EXPECTED[name]}") from None


def _numbers_in(text: str) -> list[float]:
    return [float(number) for number in text.strip("[]() ").replace(",", " ").split()]


def _words_in(text: str) -> list[str]:
    """A list as JSON or Python write it, or names between commas."""
    if text.lstrip().startswith(("[", "(")):
        return [str(word) for word in ast.literal_eval(text.strip())]
    return [word.strip() for word in text.split(",")]


def _labels(table: pa.Table, name: str) -> pa.ListArray:
    """`skills` and `category` as lists of strings; a category alone is a list of one."""
    kind = table[name].type
    if name == "skills" or pa.types.is_nested(kind):
        return _lists(table, name, pa.string())
    values = table[name].cast(pa.string()).combine_chunks()
    return pa.ListArray.from_arrays(pa.array(np.arange(len(values) + 1), pa.int32()), values)


def _names(lists: pa.ListArray, used: npt.NDArray[np.bool_]) -> list[str]:
    found: list[str] = pc.unique(pc.drop_null(pc.list_flatten(lists.filter(pa.array(used))))).to_pylist()
    return found


def _block(lists: pa.ListArray, keys: _Keys, rows: Codes, name: str, width: int) -> pa.Array:
    """The values of the rows, end to end; every row has `width` of them."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    wrong = np.zeros(len(lengths), bool)
    wrong[rows] = lengths[rows] != width
    if wrong.any():
        k, found = keys.codes["k"][int(wrong.argmax())], lengths[wrong.argmax()]
        raise _wrong(name, keys, wrong, f"found {found} for k = {k}")
    values = pc.list_flatten(lists.take(pa.array(rows)))
    if values.null_count:
        wrong[rows] = values.is_null().to_numpy(zero_copy_only=False).reshape(-1, width).any(axis=1)
        raise _wrong(name, keys, wrong, "found an empty value in the list")
    return values


def _points(lists: pa.ListArray, keys: _Keys, rows: Codes, k: int) -> Numbers:
    width = k + OTHER_POINTS
    points: Numbers = _block(lists, keys, rows, "points", width).to_numpy().reshape(-1, width).copy()
    if (outside := ~((points >= 0) & (points <= 1))).any():
        wrong = np.zeros(len(lists), bool)
        wrong[rows] = outside.any(axis=1)
        raise _wrong("points", keys, wrong, f"found {points[outside][0]:g}")
    return points


def _codes(lists: pa.ListArray, names: list[str], keys: _Keys, rows: Codes, name: str, k: int) -> Codes:
    """The labels of the rows as codes; all rows of a combination have the same."""
    alone = name == "category" and (pc.list_value_length(lists).to_numpy(zero_copy_only=False)[rows] == 1).all()
    width = 1 if alone else k
    values = _block(lists, keys, rows, name, width)
    codes = pc.index_in(values, pa.array(names, pa.string())).to_numpy().astype(np.int64).reshape(-1, width)
    _, first, of_row = np.unique(keys.codes["combination"].to_numpy()[rows], return_index=True, return_inverse=True)
    wrong = np.zeros(len(lists), bool)
    wrong[rows] = (codes != codes[first][of_row]).any(axis=1)
    if wrong.any():
        raise _wrong(name, keys, wrong, "found others than in an earlier row of the combination")
    return codes


def _with_any(skills: pa.ListArray, wanted: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which rows have one of the wanted skills."""
    low = pc.utf8_trim_whitespace(pc.utf8_lower(pc.list_flatten(skills)))
    hits = pc.is_in(low, pa.array([name.strip().lower() for name in wanted], pa.string())).to_numpy(
        zero_copy_only=False
    )
    found = np.zeros(len(skills), bool)
    found[pc.list_parent_indices(skills).to_numpy()[hits]] = True
    return found


def _deduct(gradings: Gradings, names: list[str], texts: list[str], naming: Naming) -> int:
    """Take the points of skills that their text names; returns how many were taken."""
    names_it = [_naming(name, naming) for name in names]
    assert gradings.skills is not None, "read_points asks for the column"
    named = np.array([[names_it[code](text) for code in row] for row, text in zip(gradings.skills, texts, strict=True)])
    skill_points: Any = gradings.points[:, :-OTHER_POINTS]
    taken = int(np.count_nonzero(skill_points[named]))
    skill_points[named] = 0
    return taken


def _naming(name: str, naming: Naming) -> Callable[[str], bool]:
    shown = (name.split("(", 1)[0].strip() or name).lower()
    if naming == "substring":
        return lambda text: shown in text.lower()
    pattern = phrase_pattern([shown])
    return lambda text: pattern is not None and pattern.search(text) is not None
