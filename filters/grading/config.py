"""The configuration of grading."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class GradingConfig(BaseModel):
    """`when`: "always" is every row that no other filter rejects; "unsure" leaves out those that the shirker score is
    sure of, below `sure_below`, and takes in those that it does not score (Skill-Mix, other languages).
    `runs`: how often a row is graded; the majority counts.

    Below the default `sure_below` lie 53 % of the good answers of docs/filters.md, 0.7 % of the weak and 11 % of the
    brief ones, scored by models that had seen neither their writer nor their instruction.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: Literal["never", "unsure", "always"] = "never"
    runs: int = Field(1, ge=1)
    sure_below: float = Field(0.2, ge=0, le=1)
