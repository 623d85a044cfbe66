"""Where a taxonomy comes from: the `taxonomy:` block of the configuration, and the lists that come along."""

from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.taxonomy import Taxonomy, read_taxonomy

_BUILTIN = files("skillmill.skill_taxonomy") / "builtin"


class TaxonomyConfig(BaseModel):
    """`source`: builtin:NAME, a .yaml file, or teacher, which the numbers and the domain are for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Annotated[str, Field(min_length=1)] = "builtin:language"
    topics: int = Field(8, ge=2)
    skills_per_topic: int = Field(4, ge=1)
    query_types: int = Field(6, ge=2)
    domain: str | None = Field(None, min_length=1)

    @field_validator("source")
    @classmethod
    def _is_a_source(cls, source: str) -> str:
        if source == "dataset":
            raise ValueError("dataset is not there yet, expected builtin:NAME, a .yaml file or teacher")
        if source != "teacher" and not source.startswith("builtin:") and not source.endswith((".yaml", ".yml")):
            raise ValueError(f"expected builtin:NAME, a .yaml file or teacher, got {source!r}")
        return source


def builtin(name: str) -> Taxonomy:
    """The built-in taxonomy `name`. Raises `ConfigError` that lists the known names."""
    return read_taxonomy(builtin_text(name), f"builtin:{name}")


def builtin_text(name: str) -> str:
    """Its file, with comments. Raises `ConfigError` that lists the known names."""
    known = sorted(entry.name.removesuffix(".yaml") for entry in _BUILTIN.iterdir() if entry.name.endswith(".yaml"))
    if name not in known:
        raise ConfigError(f"taxonomy.source: there is no builtin:{name}, expected one of {', '.join(known)}")
    return (_BUILTIN / f"{name}.yaml").read_text(encoding="utf-8")
