"""Taxonomy files: each format has one function that reads it, chosen by the ending of the file name."""

from collections.abc import Callable
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError

from skillmill.data.errors import ConfigError
from skillmill.data.files import write_atomic
from skillmill.data.inputs.validation import key_prefix, validation_message
from skillmill.data.inputs.yaml_file import LineNumbers, Location, read_yaml
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, Topic


def load_taxonomy(path: Path) -> Taxonomy:
    """Read a taxonomy file. Raises `ConfigError` that names the file, the line, the entry and what was expected."""
    return read_taxonomy(read_taxonomy_text(path), str(path))


def read_taxonomy_text(path: Path) -> str:
    """Return the text of a taxonomy file. Raises `ConfigError` if it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"taxonomy: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"taxonomy: {path} is not YAML: {error}") from None


def read_taxonomy(text: str, where: str, duplicates: bool = False) -> Taxonomy:
    """Return the taxonomy in the text of the file `where`, read by the function for its ending in `READERS`.

    A name with another ending, or with none, is read as YAML. `duplicates` allows repeated names, which `taxonomy
    check` reports and `taxonomy merge` removes. Raises `ConfigError` that names the file, the line and the entry.
    """
    return READERS.get(Path(where).suffix, read_yaml_taxonomy)(text, where, duplicates)


def read_yaml_taxonomy(text: str, where: str, duplicates: bool) -> Taxonomy:
    """Return the taxonomy in the YAML text of the file `where`. Raises `ConfigError`."""
    content = read_yaml(text, f"taxonomy: {where}")
    return parse_taxonomy(content, where, duplicates, lambda location: LineNumbers(text)[location])


READERS: dict[str, Callable[[str, str, bool], Taxonomy]] = {".yaml": read_yaml_taxonomy, ".yml": read_yaml_taxonomy}
"""The function that reads a format, by the ending of the file name. Its arguments are those of `read_taxonomy`."""


def is_taxonomy_file(name: str) -> bool:
    """Return whether the name of a file has one of the endings in `READERS`."""
    return name.endswith(tuple(READERS))


def parse_taxonomy(
    content: object, where: str, duplicates: bool = False, line_of: Callable[[Location], int] | None = None
) -> Taxonomy:
    """Return the taxonomy that plain data, such as parsed YAML, describes.

    Raises `ConfigError` that names the file `where`, the entry and its line, which `line_of` returns for its location.
    """
    if not isinstance(content, dict):
        raise ConfigError(f"taxonomy: {where}: expected a mapping with skills, topics and query_types")
    try:
        return Taxonomy.model_validate(content, context={"duplicates": duplicates})
    except ValidationError as error:
        # A misspelled key makes pydantic report a missing key too; the misspelled one is the useful error.
        first = min(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
        location = first.get("ctx", {}).get("location", first["loc"])
        line = f":{line_of(location)}" if line_of else ""
        message = validation_message(first)
        if first["type"] == "extra_forbidden":
            message = f"unknown key, expected one of {', '.join(_known_keys(first['loc']))}"
        raise ConfigError(f"taxonomy: {where}{line}: {key_prefix(first['loc'])}{message}") from None


def _known_keys(location: Location) -> list[str]:
    """Return the keys that the taxonomy, or the entry at `location`, may have."""
    models: dict[int | str, type[BaseModel]] = {"skills": Skill, "topics": Topic, "query_types": QueryType}
    return list((models[location[0]] if len(location) > 1 else Taxonomy).model_fields)


def taxonomy_text(taxonomy: Taxonomy) -> str:
    """Return the YAML text of a taxonomy file, without the fields that have their default value."""
    content = taxonomy.model_dump(mode="json", exclude_defaults=True)
    text = yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110)
    return "# Skills, topics and query types. Edit freely: a run uses this file as it is.\n" + text


def save_taxonomy(taxonomy: Taxonomy, path: Path) -> None:
    """Write a taxonomy file as a whole; an error leaves an existing file unchanged. Raises `StoreError`."""
    write_atomic(path, taxonomy_text(taxonomy).encode())
