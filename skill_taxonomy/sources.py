"""The `taxonomy:` block of the configuration, and the taxonomies that are part of the package."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.datasets import resolve_dataset_name
from skillmill.skill_taxonomy.formats import READERS, is_taxonomy_file, load_taxonomy, read_taxonomy
from skillmill.skill_taxonomy.taxonomy import Name, Taxonomy

TEACHER_SOURCES = ("teacher", "dataset")
"""The values of `source` for which a teacher extracts the taxonomy."""

SkillField = Literal[
    "name", "category", "definition", "example", "aliases", "checker", "common", "split", "released"
]  # fmt: skip
"""The fields of `Skill`."""

FileName = Annotated[str, Field(min_length=1)]

_A_FILE = f"a file ({', '.join(READERS)})"

_BUILTIN = files("skillmill.skill_taxonomy") / "builtin"


class TaxonomyConfig(BaseModel):
    """The source of the taxonomy and the settings of the two sources that use a teacher.

    Attributes:
        source: "builtin:NAME", the path of a taxonomy file (`formats.READERS`), "teacher" or "dataset".
        columns: The column of a table (.csv, .tsv, .json, .jsonl) for each field of a skill whose name differs.
        themes: "builtin:NAME" or a taxonomy file, whose topics and query types are used if `source` has none.
        topics: The number of topics to extract.
        skills_per_topic: The number of skills that the teacher names for each topic (source "teacher").
        query_types: The number of query types to extract.
        domain: The field that the taxonomy is restricted to, e.g. "medicine" (source "teacher").
        seed_skills: Names of skills, or the path of a taxonomy file; requests to the teacher show some of them.
        documents: Paths of text files; requests to the teacher show excerpts of them.
        dataset: A dataset's name on the Hugging Face hub, or a local file or folder (source "dataset").
        subset: The configuration of the dataset on the hub.
        split: The split of the dataset.
        column: The column or columns to read; None selects the first known chat or instruction format.
        encoding: The encoding of a dataset that is a text file; None is UTF-8.
        examples: The number of rows of the dataset that the teacher labels.
        skills: The number of skills that the labels are clustered into.
        batch: The largest number of names that one request lists.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Annotated[str, Field(min_length=1)] = "builtin:language"
    columns: dict[SkillField, Name] = Field(default_factory=dict)
    themes: FileName | None = None
    topics: int = Field(8, ge=2)
    skills_per_topic: int = Field(4, ge=1)
    query_types: int = Field(6, ge=2)
    domain: Name | None = None
    seed_skills: FileName | tuple[Name, ...] = ()
    documents: tuple[FileName, ...] = ()
    dataset: FileName | None = Field(None, validate_default=True)
    subset: str | None = None
    split: str = "train"
    column: str | tuple[str, ...] | None = None
    encoding: str | None = None
    examples: int = Field(1000, ge=2)
    skills: int = Field(50, ge=4)
    batch: int = Field(40, ge=2)

    @field_validator("source")
    @classmethod
    def _is_a_source(cls, source: str) -> str:
        if not (source in TEACHER_SOURCES or source.startswith("builtin:") or is_taxonomy_file(source)):
            raise ValueError(f"expected builtin:NAME, {_A_FILE}, teacher or dataset, got {source!r}")
        return source

    @field_validator("themes")
    @classmethod
    def _is_a_taxonomy(cls, themes: str | None) -> str | None:
        if themes is not None and not (themes.startswith("builtin:") or is_taxonomy_file(themes)):
            raise ValueError(f"expected builtin:NAME or {_A_FILE}, got {themes!r}")
        return themes

    @field_validator("seed_skills")
    @classmethod
    def _are_names_or_a_file(cls, seeds: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(seeds, str) and not is_taxonomy_file(seeds):
            raise ValueError(f"expected a list of names, or a taxonomy file ({', '.join(READERS)}), got {seeds!r}")
        return seeds

    @field_validator("dataset")
    @classmethod
    def _is_given_for_its_source(cls, dataset: str | None, info: ValidationInfo) -> str | None:
        if dataset is None and info.data.get("source") == "dataset":
            raise ValueError("expected a name on the Hugging Face hub, a file or a folder, found none")
        return dataset

    def relative_to(self, folder: Path) -> "TaxonomyConfig":
        """Return a copy in which relative paths are joined to `folder`, the folder of the configuration file."""

        def resolved(path: str) -> str:
            return str(folder / Path(path).expanduser())

        update: dict[str, object] = {"documents": tuple(map(resolved, self.documents))}
        if is_taxonomy_file(self.source):
            update["source"] = resolved(self.source)
        if self.themes and not self.themes.startswith("builtin:"):
            update["themes"] = resolved(self.themes)
        if isinstance(self.seed_skills, str):
            update["seed_skills"] = resolved(self.seed_skills)
        if self.dataset:
            update["dataset"] = resolve_dataset_name(folder, self.dataset)
        return self.model_copy(update=update)


def source_taxonomy(config: TaxonomyConfig) -> Taxonomy:
    """Return the taxonomy of a built-in source or a file, with the topics and query types of `themes` if it has none.

    Raises `ConfigError` that names the file, the line and the entry.
    """
    if config.source.startswith("builtin:"):
        taxonomy = builtin(config.source.removeprefix("builtin:"))
    else:
        taxonomy = load_taxonomy(Path(config.source), {str(name): column for name, column in config.columns.items()})
    if not config.themes:
        return taxonomy
    themes = source_taxonomy(TaxonomyConfig(source=config.themes))
    update = {key: getattr(taxonomy, key) or getattr(themes, key) for key in ("topics", "query_types")}
    return taxonomy.model_copy(update=update)


def builtin(name: str) -> Taxonomy:
    """Return the built-in taxonomy `name`. Raises `ConfigError` that lists the known names."""
    return read_taxonomy(builtin_text(name), f"builtin:{name}")


def builtin_text(name: str) -> str:
    """Return the YAML text of a built-in taxonomy, with comments. Raises `ConfigError` that lists the known names."""
    known = sorted(entry.name.removesuffix(".yaml") for entry in _BUILTIN.iterdir() if entry.name.endswith(".yaml"))
    if name not in known:
        raise ConfigError(f"taxonomy.source: there is no builtin:{name}, expected one of {', '.join(known)}")
    return (_BUILTIN / f"{name}.yaml").read_text(encoding="utf-8")
