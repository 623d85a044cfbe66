"""Taxonomy files: each format has one function that reads it, chosen by the ending of the file name."""

from collections.abc import Callable
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError

from skillmill.data.errors import ConfigError
from skillmill.data.files import write_atomic
from skillmill.data.inputs.local_files import require_local
from skillmill.data.inputs.validation import key_prefix, validation_message
from skillmill.data.inputs.yaml_file import LineNumbers, Location, read_yaml
from skillmill.skill_taxonomy.tables import Columns, TableLines, read_csv, read_json, read_json_lines, read_tsv
from skillmill.skill_taxonomy.taxonomy import KEYS, QueryType, Skill, Taxonomy, Topic

Lines = LineNumbers | TableLines


def load_taxonomy(path: Path, columns: Columns | None = None) -> Taxonomy:
    """Read a taxonomy file. Raises `ConfigError` that names the file, the line, the entry and what was expected.

    `columns` gives the columns of a table for fields of skills whose names differ.
    """
    return read_taxonomy(read_taxonomy_text(path), str(path), columns=columns)


def read_taxonomy_text(path: Path) -> str:
    """Return the text of a taxonomy file. Raises `ConfigError` if it cannot be read or is not UTF-8."""
    require_local(path)
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"taxonomy: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        expected = "YAML" if _reader(str(path)) is _read_yaml else "UTF-8, save it in that encoding"
        raise ConfigError(f"taxonomy: {path} is not {expected}: {error}") from None


def read_taxonomy(text: str, where: str, duplicates: bool = False, columns: Columns | None = None) -> Taxonomy:
    """Return the taxonomy in the text of the file `where`, read by the function for its ending in `READERS`.

    A name with another ending, or with none, is read as YAML. `duplicates` allows repeated names, which `taxonomy
    check` reports and `taxonomy merge` removes. Raises `ConfigError` that names the file, the line and the entry.
    """
    content, lines = _reader(where)(text, where, columns or {})
    return parse_taxonomy(content, where, duplicates, lines)


def lines_of(text: str, where: str, columns: Columns | None = None) -> Lines:
    """Return the line numbers of the entries in the text of a taxonomy file."""
    return _reader(where)(text, where, columns or {})[1]


def read_yaml_taxonomy(text: str, where: str, duplicates: bool) -> Taxonomy:
    """Return the taxonomy in the YAML text of the file `where`. Raises `ConfigError`."""
    return parse_taxonomy(_read_yaml(text, where, {})[0], where, duplicates, LineNumbers(text))


def _read_yaml(text: str, where: str, columns: Columns) -> tuple[object, Lines]:
    """Return the content of a YAML text and its line numbers. Raises `ConfigError`; YAML has no `columns`."""
    if columns:
        raise ConfigError(f"taxonomy.columns: {where} is no table, expected one of {', '.join(TABLES)}")
    return read_yaml(text, f"taxonomy: {where}"), LineNumbers(text)


Reader = Callable[[str, str, Columns], tuple[object, Lines]]
"""Returns the plain content of a text and the lines of its entries, for (text, name of the file, columns)."""

TABLES: dict[str, Reader] = {".csv": read_csv, ".tsv": read_tsv, ".json": read_json, ".jsonl": read_json_lines}
READERS: dict[str, Reader] = {".yaml": _read_yaml, ".yml": _read_yaml, **TABLES}
"""The function that reads a format, by the ending of the file name."""


def _reader(name: str) -> Reader:
    return READERS.get(Path(name).suffix.lower(), _read_yaml)


def is_taxonomy_file(name: str) -> bool:
    """Return whether the name of a file has one of the endings in `READERS`."""
    return name.lower().endswith(tuple(READERS))


def is_table(name: str) -> bool:
    """Return whether the name of a file has one of the endings in `TABLES`, whose files cannot be edited in place."""
    return name.lower().endswith(tuple(TABLES))


def parse_taxonomy(content: object, where: str, duplicates: bool = False, lines: Lines | None = None) -> Taxonomy:
    """Return the taxonomy that plain data, such as parsed YAML, describes.

    Raises `ConfigError` that names the file `where`, the entry and its line.
    """
    if not isinstance(content, dict):
        raise ConfigError(f"taxonomy: {where}: expected a mapping with skills, topics and query_types")
    try:
        return Taxonomy.model_validate(content, context={"duplicates": duplicates})
    except ValidationError as error:
        # A misspelled key makes pydantic report a missing key too; the misspelled one is the useful error.
        first = min(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
        context = first.get("ctx", {})
        location: Location = context.get("location", first["loc"])
        line = f":{lines[location]}" if lines else ""
        title = lines.title(location) if isinstance(lines, TableLines) else ""
        message = validation_message(first)
        if first["type"] == "extra_forbidden":
            message = f"unknown key, expected one of {', '.join(_known_keys(first['loc']))}"
        if first["type"] == "duplicate" and isinstance(lines, TableLines) and title:
            message = f"{context['name']} is already in line {lines[context['first_location']]}"
        if isinstance(lines, LineNumbers) and first["type"] in _EXPECT_TEXT:
            message = lines.misread(location) or message
        raise ConfigError(f"taxonomy: {where}{line}: {title or key_prefix(location)}{message}") from None


_EXPECT_TEXT = ("string_type", "literal_error")
"""Types of pydantic's errors where text was expected, which YAML may have read as another value."""


def _known_keys(location: Location) -> list[str]:
    """Return the keys that the taxonomy, or the entry at `location`, may have."""
    models: dict[int | str, type[BaseModel]] = {"skills": Skill, "topics": Topic, "query_types": QueryType}
    return list((models[location[0]] if len(location) > 1 else Taxonomy).model_fields)


def taxonomy_text(taxonomy: Taxonomy) -> str:
    """Return the YAML text of a taxonomy file, without the fields that have their default value."""
    content = taxonomy.model_dump(mode="json", exclude_defaults=True)
    content = {key: content[key] for key in ("name", "source", "license", *KEYS) if key in content}
    text = yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110)
    return "# Skills, topics and query types. Edit freely: a run uses this file as it is.\n" + text


def save_taxonomy(taxonomy: Taxonomy, path: Path) -> None:
    """Write a taxonomy file as a whole; an error leaves an existing file unchanged. Raises `StoreError`."""
    write_atomic(path, taxonomy_text(taxonomy).encode())
