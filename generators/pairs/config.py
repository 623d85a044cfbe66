"""The `pairs:` block of the configuration."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator
from pydantic_core import PydanticKnownError

from skillmill.generators.pairs.sources import SOURCES, Role
from skillmill.teachers.config import StudentConfig


def _known_source(name: object) -> str:
    if isinstance(name, str) and name in SOURCES:
        return name
    *names, last = map(repr, SOURCES)
    raise PydanticKnownError("literal_error", {"expected": f"{', '.join(names)} or {last}"})


class PairsConfig(BaseModel):
    """Each of `sources` gives at most one pair per row, for a random share `share` of the accepted rows.

    `student`: the model that answers for the source `student`. `similarity`: a pair is dropped if the Jaccard
    similarity of both sides' word 3-grams is at least this. `tolerance`: a pair is dropped if the rejected side's
    shirker score is better by more than this. `check`: whether the grader compares both sides of every pair.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[Annotated[str, PlainValidator(_known_source)], ...] = ("draft",)
    share: float = Field(1.0, ge=0, le=1)
    student: StudentConfig | None = None
    similarity: float = Field(0.8, gt=0, le=1)
    tolerance: float = Field(0.05, ge=0, le=1)
    check: Literal["never", "always"] = "never"

    @model_validator(mode="after")
    def _student_is_configured(self) -> "PairsConfig":
        if any(SOURCES[name].role == "student" for name in self.sources) and self.student is None:
            raise ValueError(
                "student: expected who answers for the source `student`, such as "
                "{kind: openai, model: NAME, base_url: http://host:port/v1}, got nothing"
            )
        return self

    @property
    def roles(self) -> frozenset[Role]:
        """The models that sources and check send requests to; none if no row gets pairs."""
        if self.share == 0:
            return frozenset()
        roles = {role for name in self.sources if (role := SOURCES[name].role)}
        return frozenset(roles | {"grader"} if self.check == "always" else roles)

    def relative_to(self, folder: Path) -> "PairsConfig":
        """Return the settings with the student's paths resolved relative to `folder`, the folder of their file."""
        return self.model_copy(update={"student": self.student and self.student.relative_to(folder)})
