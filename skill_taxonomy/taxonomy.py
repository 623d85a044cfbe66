"""What a taxonomy is: skills, topics and query types, in a YAML file that a person reads and edits."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from skillmill.data.errors import ConfigError
from skillmill.data.files import write_atomic
from skillmill.data.inputs.validation import key_prefix, validation_message
from skillmill.data.inputs.yaml_file import Lines, Location, read_yaml
from skillmill.skill_taxonomy.checkers import CHECKERS

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\n\r\t]+$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True)]
Split = Literal["train", "validation", "test"]
KEYS = ("skills", "topics", "query_types")


class Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name


class Skill(Entry):
    """One skill. `common` marks what any text shows; `split` other than "train" keeps it out of plans.

    `released`: Skill-Mix published it, so a score on it means less where it was trained on. `checker` names the rule
    of `checkers.py` that decides whether a text shows the skill.
    """

    category: Name = "general"
    definition: Text = ""
    example: Text = ""
    aliases: tuple[Name, ...] = ()
    common: bool = False
    split: Split = "train"
    released: bool = False
    checker: str | None = None

    @field_validator("checker")
    @classmethod
    def _is_a_rule(cls, checker: str | None) -> str | None:
        if checker is not None and checker not in CHECKERS:
            raise ValueError(f"there is no checker {checker!r}, expected one of {', '.join(sorted(CHECKERS))}")
        return checker


class Topic(Entry):
    """What a Skill-Mix text is about. `split` and `released` as of a skill."""

    split: Split = "train"
    released: bool = False


class QueryType(Entry):
    """What kind of question a user asks. `min_words`: an answer below this is too short for it."""

    definition: Text = ""
    min_words: int = Field(25, ge=0)


class Taxonomy(BaseModel):
    """Skills, topics and query types, each name once (case and spacing aside)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = "taxonomy"
    source: Text = ""
    skills: tuple[Skill, ...] = Field(min_length=1)
    topics: tuple[Topic, ...] = ()
    query_types: tuple[QueryType, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self, info: ValidationInfo) -> "Taxonomy":
        if (info.context or {}).get("duplicates"):
            return self
        for key in KEYS:
            seen: dict[str, int] = {}
            for i, entry in enumerate(getattr(self, key)):
                first = seen.setdefault(canonical(entry.name), i)
                if first != i:
                    message = "{place}: {name} is already {first}"
                    names = {"place": f"{key}[{i}].name", "name": repr(entry.name), "first": f"{key}[{first}]"}
                    raise PydanticCustomError("duplicate", message, {**names, "location": (key, i, "name")})
        return self


def canonical(name: str) -> str:
    """The form under which two names are the same: lower case, single spaces, no underscores."""
    return " ".join(name.replace("_", " ").lower().split())


def fingerprint(taxonomy: Taxonomy) -> str:
    """Changes with the content (definitions and splits included), not with the order in the file."""
    content = taxonomy.model_dump(mode="json", exclude={"name", "source"})
    for entries in content.values():
        entries.sort(key=lambda entry: canonical(entry["name"]))
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def ordered(taxonomy: Taxonomy) -> Taxonomy:
    """The same taxonomy in canonical order, which plans are drawn from: YAML order must not matter."""

    def by_name(entries: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(sorted(entries, key=lambda entry: canonical(entry.name)))

    return taxonomy.model_copy(update={key: by_name(getattr(taxonomy, key)) for key in KEYS})


def load_taxonomy(path: Path) -> Taxonomy:
    """Read a taxonomy file. Raises `ConfigError` with the file, the line, the entry and what was expected."""
    return read_taxonomy(taxonomy_file(path), str(path))


def taxonomy_file(path: Path) -> str:
    """The text of a taxonomy file. Raises `ConfigError` where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"taxonomy: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"taxonomy: {path} is not YAML: {error}") from None


def read_taxonomy(text: str, where: str, duplicates: bool = False) -> Taxonomy:
    """The taxonomy that the file `where` has as its text. Raises `ConfigError` as `load_taxonomy` does.

    `duplicates` lets a name come twice, for who wants to find or merge them.
    """
    return parse_taxonomy(read_yaml(text, f"taxonomy: {where}"), where, text, duplicates)


def parse_taxonomy(content: object, where: str, text: str | None = None, duplicates: bool = False) -> Taxonomy:
    """Check plain data. Raises `ConfigError` that names `where`, the entry and, given the `text`, its line."""
    if not isinstance(content, dict):
        raise ConfigError(f"taxonomy: {where}: expected a mapping with skills, topics and query_types")
    try:
        return Taxonomy.model_validate(content, context={"duplicates": duplicates})
    except ValidationError as error:
        # a misspelled key first: the one that is missing for it says less
        first = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
        location = first.get("ctx", {}).get("location", first["loc"])
        line = f":{Lines(text)[location]}" if text is not None else ""
        message = validation_message(first)
        if first["type"] == "extra_forbidden":
            message = f"unknown key, expected one of {', '.join(_known_keys(first['loc']))}"
        raise ConfigError(f"taxonomy: {where}{line}: {key_prefix(first['loc'])}{message}") from None


def _known_keys(location: Location) -> list[str]:
    models: dict[int | str, type[BaseModel]] = {"skills": Skill, "topics": Topic, "query_types": QueryType}
    return list((models[location[0]] if len(location) > 1 else Taxonomy).model_fields)


def taxonomy_text(taxonomy: Taxonomy) -> str:
    """The text of a taxonomy file; fields at their default are left out, for people's sake."""
    content = taxonomy.model_dump(mode="json", exclude_defaults=True)
    text = yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110)
    return "# Skills, topics and query types. Edit freely: a run uses this file as it is.\n" + text


def save_taxonomy(taxonomy: Taxonomy, path: Path) -> None:
    """Write the file whole or not at all. Raises `StoreError`."""
    write_atomic(path, taxonomy_text(taxonomy).encode())
