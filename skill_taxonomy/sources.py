"""Where a taxonomy comes from: the `taxonomy:` block of the configuration, and the lists that come along."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.datasets import joined
from skillmill.skill_taxonomy.taxonomy import Name, Taxonomy, read_taxonomy

ASKED = ("teacher", "dataset")
"""The sources that take a teacher."""

FileName = Annotated[str, Field(min_length=1)]

_BUILTIN = files("skillmill.skill_taxonomy") / "builtin"


class TaxonomyConfig(BaseModel):
    """`source`: builtin:NAME, a .yaml file, teacher or dataset. The rest is for the two that ask a teacher.

    `seed_skills` (names, or a taxonomy file) and `documents` (text files) are shown to it beside its questions.
    `dataset` is a name on the Hugging Face hub or a local file or folder; of it `examples` rows are labelled and their
    labels clustered into `skills`; no question lists more than `batch` names. `column` names what to read of a row;
    null: the first chat or instruction format that is there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Annotated[str, Field(min_length=1)] = "builtin:language"
    topics: int = Field(8, ge=2)
    skills_per_topic: int = Field(4, ge=1)
    query_types: int = Field(6, ge=2)
    domain: str | None = Field(None, min_length=1)
    seed_skills: FileName | tuple[Name, ...] = ()
    documents: tuple[FileName, ...] = ()
    dataset: FileName | None = Field(None, validate_default=True)
    subset: str | None = None
    split: str = "train"
    column: str | tuple[str, ...] | None = None
    examples: int = Field(1000, ge=2)
    skills: int = Field(50, ge=4)
    batch: int = Field(40, ge=2)

    @field_validator("source")
    @classmethod
    def _is_a_source(cls, source: str) -> str:
        asked, is_file = source in ASKED, source.endswith((".yaml", ".yml"))
        if not (asked or is_file or source.startswith("builtin:")):
            raise ValueError(f"expected builtin:NAME, a .yaml file, teacher or dataset, got {source!r}")
        return source

    @field_validator("seed_skills")
    @classmethod
    def _is_a_taxonomy_file(cls, seeds: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(seeds, str) and not seeds.endswith((".yaml", ".yml")):
            raise ValueError(f"expected a list of names, or a .yaml taxonomy file, got {seeds!r}")
        return seeds

    @field_validator("dataset")
    @classmethod
    def _is_named_where_it_is_the_source(cls, dataset: str | None, info: ValidationInfo) -> str | None:
        if dataset is None and info.data.get("source") == "dataset":
            raise ValueError("expected a name on the Hugging Face hub, a file or a folder, found none")
        return dataset

    def relative_to(self, folder: Path) -> "TaxonomyConfig":
        """With its paths, which a file has relative to itself, joined to that file's folder."""

        def beside(path: str) -> str:
            return str(folder / Path(path).expanduser())

        update: dict[str, object] = {"documents": tuple(map(beside, self.documents))}
        if self.source.endswith((".yaml", ".yml")):
            update["source"] = beside(self.source)
        if isinstance(self.seed_skills, str):
            update["seed_skills"] = beside(self.seed_skills)
        if self.dataset:
            update["dataset"] = joined(folder, self.dataset)
        return self.model_copy(update=update)


def builtin(name: str) -> Taxonomy:
    """The built-in taxonomy `name`. Raises `ConfigError` that lists the known names."""
    return read_taxonomy(builtin_text(name), f"builtin:{name}")


def builtin_text(name: str) -> str:
    """Its file, with comments. Raises `ConfigError` that lists the known names."""
    known = sorted(entry.name.removesuffix(".yaml") for entry in _BUILTIN.iterdir() if entry.name.endswith(".yaml"))
    if name not in known:
        raise ConfigError(f"taxonomy.source: there is no builtin:{name}, expected one of {', '.join(known)}")
    return (_BUILTIN / f"{name}.yaml").read_text(encoding="utf-8")
