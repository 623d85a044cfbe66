"""What a taxonomy is: skills, topics and query types, in a YAML file that a person reads and edits."""

import hashlib
import os
from pathlib import Path
from typing import Annotated, Any

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from skillmill.data.errors import ConfigError

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\n\r\t]+$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True)]


class Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name


class Skill(Entry):
    """One skill. `common` marks what any text shows; `split` other than "train" keeps it out of plans."""

    category: Name = "general"
    definition: Text = ""
    example: Text = ""
    aliases: tuple[Name, ...] = ()
    common: bool = False
    split: str = "train"


class Topic(Entry):
    """What a Skill-Mix text is about."""

    split: str = "train"


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
    def _names_are_unique(self) -> "Taxonomy":
        for key in ("skills", "topics", "query_types"):
            seen: dict[str, int] = {}
            for i, entry in enumerate(getattr(self, key)):
                first = seen.setdefault(canonical(entry.name), i)
                if first != i:
                    raise ValueError(f"{key}[{i}].name: {entry.name!r} is already {key}[{first}]")
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

    return taxonomy.model_copy(
        update={key: by_name(getattr(taxonomy, key)) for key in ("skills", "topics", "query_types")}
    )


def load_taxonomy(path: Path) -> Taxonomy:
    """Read a taxonomy file. Raises `ConfigError` with the file, the entry and what was expected."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise ConfigError(f"taxonomy: cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"taxonomy: {path} is not YAML: {' '.join(str(error).split())}") from None
    return parse_taxonomy(content, str(path))


def parse_taxonomy(content: object, where: str) -> Taxonomy:
    """Check plain data. Raises `ConfigError` that names `where` and the entry."""
    if not isinstance(content, dict):
        raise ConfigError(f"taxonomy: {where}: expected a mapping with skills, topics and query_types")
    try:
        return Taxonomy.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"taxonomy: {where}: {dotted(first['loc'])}{message}") from None


def dotted(location: tuple[int | str, ...]) -> str:
    """A pydantic location as a person writes it: `skills[3].name: `."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return f"{text}: " if text else ""


def save_taxonomy(taxonomy: Taxonomy, path: Path) -> None:
    """Write the file whole or not at all; fields at their default are left out, for people's sake."""
    content = taxonomy.model_dump(mode="json", exclude_defaults=True)
    text = yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write("# Skills, topics and query types. Edit freely: a run uses this file as it is.\n" + text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
