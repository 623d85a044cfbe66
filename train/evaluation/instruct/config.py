"""The `evaluate.instruct` block of the configuration."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from skillmill.data.inputs.local_files import joined
from skillmill.teachers.base import Sampling

RowSplit = Literal["validation", "test"]


def _each_once(values: tuple[RowSplit, ...]) -> tuple[RowSplit, ...]:
    if not values:
        raise ValueError("expected at least one")
    return tuple(dict.fromkeys(values))


class InstructConfig(BaseModel):
    """The instruct part of `skillmill evaluate`.

    `splits`: the splits of the export whose rows are held out; their accepted answers are the references. `samples`:
    the most rows, drawn at random by the seed. `sampling`: how a student answers. `grade`: each answer is also graded
    by the rubric of its row. `prompts`: a folder of files that replace the grader's prompts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    splits: Annotated[tuple[RowSplit, ...], AfterValidator(_each_once)] = ("validation", "test")
    samples: int = Field(200, ge=1)
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=1024)
    grade: bool = True
    prompts: str | None = Field(None, min_length=1)

    def relative_to(self, folder: Path) -> "InstructConfig":
        """Return the settings with the folder of prompts joined to `folder`, the folder of the configuration file."""
        return self.model_copy(update={"prompts": self.prompts and joined(folder, self.prompts)})
