"""The taxonomy model: skills, topics and query types, checked by pydantic."""

import hashlib
from functools import lru_cache
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from skillmill.data.text.folding import folded

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\n\r\t]+$")]
MAX_TEXT_CHARS = 2000
"""The most characters of a definition or an example: prompts show it for each skill of a cell."""
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_TEXT_CHARS)]
Split = Literal["train", "validation", "test"]

_NEVER_SHOWN = dict.fromkeys((0xAD, 0x200B, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10)))

KEYS = ("skills", "topics", "query_types")
"""The keys of a taxonomy that hold lists of entries, in the order of a taxonomy file."""


class Entry(BaseModel):
    """A named entry of a taxonomy: the base of skills, topics and query types."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name


class Skill(Entry):
    """A skill that a generated text has to show.

    Attributes:
        category: The group of related skills that this one belongs to.
        definition: One sentence that says what the skill is, without its name.
        example: One sentence that shows the skill.
        aliases: Other names of the same skill. Two skills that share a name or an alias never meet in a cell.
        common: True if most texts show the skill anyway, so that showing it proves little.
        split: "train", or the split that the skill is held out for; training plans leave held-out skills out.
        released: True if Skill-Mix (arXiv 2310.17567) published the skill, so that models may have trained on it.
        checker: The name of the rule in `checkers.CHECKERS` that decides whether a text shows the skill.
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
        if checker is None:
            return None
        from skillmill.skill_taxonomy.checkers import CHECKERS  # patterns take 25 ms, and most taxonomies have no rules

        if checker not in CHECKERS:
            raise ValueError(f"there is no checker {checker!r}, expected one of {', '.join(sorted(CHECKERS))}")
        return checker


class Topic(Entry):
    """A topic that a Skill-Mix text is about; `split` and `released` have the same meaning as for a skill."""

    split: Split = "train"
    released: bool = False


class QueryType(Entry):
    """A kind of request that users send to an assistant.

    Attributes:
        definition: One sentence that says what the user wants.
        category: The category of skills that the query type goes with: a cell with it has a skill of this category.
            None if it goes with all skills.
        min_words: The number of words below which an answer is too short for this query type.
    """

    definition: Text = ""
    category: Name | None = None
    min_words: int = Field(25, ge=0)


class Taxonomy(BaseModel):
    """Skills, topics and query types. No two entries of one list have the same canonical name.

    `source` says where the names are from, `license` under which licence they are, "" if that is not known. The
    validation context `{"duplicates": True}` allows repeated names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = "taxonomy"
    source: Text = ""
    skills: tuple[Skill, ...] = Field(min_length=1)
    topics: tuple[Topic, ...] = ()
    query_types: tuple[QueryType, ...] = ()
    license: Text = ""

    @model_validator(mode="after")
    def _names_are_unique(self, info: ValidationInfo) -> "Taxonomy":
        if (info.context or {}).get("duplicates"):
            return self
        for key in KEYS:
            seen: dict[str, int] = {}
            for i, entry in enumerate(getattr(self, key)):
                first = seen.setdefault(canonical(entry.name), i)
                if first != i:
                    message = "{name} is already {first}"
                    names = {"name": repr(entry.name), "first": f"{key}[{first}]"}
                    places = {"location": (key, i, "name"), "first_location": (key, first, "name")}
                    raise PydanticCustomError("duplicate", message, {**names, **places})
        return self


@lru_cache(10_000)  # a run asks for the same names again and again
def canonical(name: str) -> str:
    """Return the form in which names are compared: NFKC, case folded, single spaces, spaces for underscores.

    Characters that never show (soft hyphen, zero-width space, variation selector) are dropped. Joiners are kept,
    because they tell names apart in Persian, in scripts of India and among emoji.
    """
    return " ".join(folded(name.translate(_NEVER_SHOWN)).replace("_", " ").split())


def fingerprint(taxonomy: Taxonomy) -> str:
    """Return a SHA-256 hex digest of the entries with all their fields; the order of the entries does not count.

    Name, source and licence are not in it, because no prompt has them. A query type without a category has the digest
    that it had before query types had categories.
    """
    content = taxonomy.model_dump(mode="json", exclude={"name", "source", "license"})
    for query_type in content["query_types"]:
        if query_type["category"] is None:
            del query_type["category"]
    for entries in content.values():
        entries.sort(key=lambda entry: canonical(entry["name"]))
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def ordered(taxonomy: Taxonomy) -> Taxonomy:
    """Return the taxonomy with its entries sorted by canonical name, so that the order of a file changes no plan."""

    def by_name(entries: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(sorted(entries, key=lambda entry: canonical(entry.name)))

    return taxonomy.model_copy(update={key: by_name(getattr(taxonomy, key)) for key in KEYS})
