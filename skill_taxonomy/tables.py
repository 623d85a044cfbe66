"""Taxonomies from tables: CSV, TSV, JSON and JSON lines, with one skill per row."""

import csv
import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.yaml_file import LineNumbers, Location
from skillmill.skill_taxonomy.taxonomy import Skill, canonical

Columns = Mapping[str, str]
"""The column of the table for each field of a skill; other fields have the column of their own name."""

SEPARATORS = ",;\t"
"""The separators of cells that are tried: comma, semicolon (Excel in many languages), tab."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableLines:
    """The line of each row, and the column of each field, for messages.

    Attributes:
        lines: The line of each row, from 1.
        columns: The column of each field.
    """

    lines: Sequence[int] = ()
    columns: Columns = field(default_factory=dict)

    def __getitem__(self, location: Location) -> int:
        """Return the line of the row at `location`; 1 if there is none."""
        place = location[1] if len(location) > 1 else None
        return self.lines[place] if isinstance(place, int) and place < len(self.lines) else 1

    def title(self, location: Location) -> str:
        """Return the start of a message about the field at `location`: its column."""
        name = str(location[2]) if len(location) > 2 else ""
        return f"column {self.columns[name]!r}: " if name in self.columns else ""


def read_csv(text: str, where: str, columns: Columns, separator: str | None = None) -> tuple[object, TableLines]:
    """Return the content of a taxonomy and its lines. Raises `ConfigError` with the file and the line."""
    text = text.removeprefix("\ufeff")
    if text[:4].lower() == "sep=" and text[5:6] == "\n":  # Excel writes its separator in the first line
        separator, text = text[4], "\n" + text[6:]
    separator = separator or _separator(text, columns.get("name", "name"))
    csv.field_size_limit(2**31 - 1)  # of the process; the limit of a text is checked by its column
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, lines, header, end = [], [], list[str](), 0
    try:
        for cells in reader:
            start, end = end + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
            elif len(cells) > len(header):
                counts = f"{len(cells)} cells, the first row has {len(header)}"
                raise ConfigError(f"taxonomy: {where}:{start}: {counts}; put cells with {separator!r} in quotes")
            else:
                rows.append(dict(zip(header, cells, strict=False)))
                lines.append(start)
    except csv.Error as error:
        raise ConfigError(f"taxonomy: {where}:{reader.line_num}: is not CSV: {error}") from None
    if twice := next((name for name in header if name and header.count(name) > 1), None):
        raise ConfigError(f"taxonomy: {where}:1: the column {twice!r} comes twice")
    return _skills(rows, lines, header, where, columns)


def read_tsv(text: str, where: str, columns: Columns) -> tuple[object, TableLines]:
    """Return the content of a taxonomy in a table with tabs and its lines. Raises `ConfigError` with the line."""
    return read_csv(text, where, columns, "\t")


def read_json(text: str, where: str, columns: Columns) -> tuple[object, TableLines | LineNumbers]:
    """Return the content of a taxonomy (a list of skills, or an object as in YAML) and its lines.

    Raises `ConfigError` with the file and the line.
    """
    text = text.removeprefix("\ufeff")
    content, lines = _parsed(text, where, 1), LineNumbers(text)  # JSON is YAML
    if not isinstance(content, list):
        return content, lines
    return _objects(content, [lines[place,] for place in range(len(content))], where, columns)


def read_json_lines(text: str, where: str, columns: Columns) -> tuple[object, TableLines]:
    """Return the content of a taxonomy with one skill per line, and its lines. Raises `ConfigError` with the line."""
    numbered = [
        (number, line) for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1) if line.strip()
    ]
    content = [_parsed(line, where, number) for number, line in numbered]
    return _objects(content, [number for number, _ in numbered], where, columns)


def _parsed(text: str, where: str, line: int) -> object:
    """Return the value of a JSON text that begins in a line of a file. Raises `ConfigError` with the line."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise ConfigError(f"taxonomy: {where}:{line + error.lineno - 1}: is not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise ConfigError(f"taxonomy: {where}:{line}: is not JSON that can be read: {error}") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the object of these pairs. Raises `ValueError` if a key comes twice."""
    value: dict[str, object] = {}
    for key, item in pairs:
        if key in value:
            raise ValueError(f"the key {key!r} comes twice in an object")
        value[key] = item
    return value


def _objects(content: list[Any], lines: list[int], where: str, columns: Columns) -> tuple[object, TableLines]:
    """Return the content of a taxonomy whose skills are JSON objects. Raises `ConfigError` for another value."""
    for number, (line, row) in enumerate(zip(lines, content, strict=True), 1):
        if not isinstance(row, dict):
            raise ConfigError(
                f"taxonomy: {where}:{line}: expected an object with the keys of a skill, in entry {number}"
            )
    return _skills(content, lines, list(dict.fromkeys(key for row in content for key in row)), where, columns)


def _skills(
    rows: Sequence[Mapping[str, Any]], lines: Sequence[int], header: Sequence[str], where: str, columns: Columns
) -> tuple[object, TableLines]:
    """Return the content of a taxonomy whose skills are rows. Raises `ConfigError` if there is no column of names.

    Columns that belong to no field are left out, and one message names them. Of several rows with one name, the first
    is taken if `columns` are given.
    """
    by_name = {canonical(name): name for name in header}
    used: dict[str, str] = {}
    for name in Skill.model_fields:
        column = by_name.get(canonical(columns.get(name, name)))
        if column is not None:
            used[name] = column
        elif name in columns or name == "name":
            known = ", ".join(map(repr, header)) or "none"
            raise ConfigError(
                f"taxonomy: {where}:1: there is no column {columns.get(name, name)!r} for the {name} of a skill, found "
                f"{known}; taxonomy.columns or --column says which to read, such as {{{name}: COLUMN}} or {name}=COLUMN"
            )
    if left_out := [name for name in header if name not in used.values()]:
        log.info(f"taxonomy: {where}: columns that are not read: {', '.join(left_out)}")
    skills = [
        {name: _cell(name, row[column]) for name, column in used.items() if row.get(column) not in (None, "")}
        | ({} if row.get(used["name"]) else {"name": ""})
        for row in rows
    ]
    if columns:
        skills, lines = _without_repeated_names(skills, lines, where)
    return {"skills": skills}, TableLines(lines, used)


def _without_repeated_names(
    skills: list[dict[str, Any]], lines: Sequence[int], where: str
) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the first skill of each name with its line; one message counts the others.

    An export such as O*NET's *Skills.txt* has a row for each skill and occupation, and names of ESCO may differ in case
    only. In a table that was written by hand, a repeated name is an error.
    """
    first: dict[str, int] = {}
    for place, skill in enumerate(skills):
        name = skill["name"]
        first.setdefault(canonical(name) if isinstance(name, str) and name else f"\0{place}", place)
    if left_out := len(skills) - len(first):
        counts = f"{left_out:,} of {len(skills):,} rows"
        log.warning(f"taxonomy: {where}: {counts} repeat the name of an earlier row and are not read")
    return [skills[place] for place in first.values()], [lines[place] for place in first.values()]


def _cell(name: str, value: object) -> object:
    """Return the value of a field: texts on one line; aliases are separated by line breaks or "|"."""
    if not isinstance(value, str):
        return value
    if name == "aliases":
        return [alias.strip() for alias in value.replace("|", "\n").splitlines() if alias.strip()]
    return " ".join(value.split())


def _separator(text: str, name: str) -> str:
    """Return the separator with which the first row has a column `name`, otherwise the most frequent one."""
    first = text.lstrip().split("\n", 1)[0]
    for separator in SEPARATORS:
        if canonical(name) in [canonical(cell.strip('" ')) for cell in first.split(separator)]:
            return separator
    return max(SEPARATORS, key=first.count)
