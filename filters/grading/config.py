"""The `grading` section of the configuration."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from skillmill.data.inputs.local_files import joined

RubricName = Literal["structured", "paper"]
OnFailure = Literal["keep", "reject", "stop"]
"""What happens to a row that is to be graded and gets no usable grading; "stop" ends the run."""


class GradingConfig(BaseModel):
    """Which rows are graded, and how often.

    `when`: "always" grades every row that the filters accept. "unsure" skips those with a shirker score below
    `sure_below`, which are good answers with high probability; rows without a score (Skill-Mix, languages other than
    English) are graded. `runs`: number of gradings of a row, combined by majority. `on_failure`: what
    happens to a row whose gradings are all unusable, see `failure_rule`. `rubric`: with "structured" a skill has its
    point only with a quotation that shows it; "paper" is Skill-Mix's rubric for texts on a topic, which requires none.
    `prompts`: a folder of files that replace the grader's prompts of the same name.

    At the default `sure_below`, 30 % of the good answers of docs/filters.md, 2.5 % of the weak and 2 % of the brief
    ones are skipped. These shares were measured by models trained without the answer's writer and instruction.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: Literal["never", "unsure", "always"] = "never"
    runs: int = Field(1, ge=1)
    sure_below: float = Field(0.2, ge=0, le=1)
    on_failure: OnFailure | None = None
    rubric: RubricName = "structured"
    prompts: str | None = Field(None, min_length=1)

    def relative_to(self, folder: Path) -> Self:
        """Return a copy whose relative paths are joined to `folder`."""
        prompts = self.prompts and joined(folder, self.prompts)
        return self.model_copy(update={"prompts": prompts})

    @property
    def failure_rule(self) -> OnFailure:
        """`on_failure`; by default "reject" if every row is to be graded, else "keep"."""
        return self.on_failure or ("reject" if self.when == "always" else "keep")
