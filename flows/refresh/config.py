"""The `refresh` and `retention` sections of the configuration."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class RefreshConfig(BaseModel):
    """What one refresh adds.

    `accepted`, `samples` and `weights` take the place of the keys of `generation`; with null, those of `generation`
    hold: `accepted` counts new cells with an accepted row, `samples` new cells. `review`: a person looks at the new
    rows before they are exported. `train`: the student is trained again. `min_accepted_share`: the refresh ends if
    fewer of its cells are accepted, counted from the 200th cell on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    accepted: int | None = Field(None, ge=1)
    samples: int | None = Field(None, ge=1)
    weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = None
    review: bool = False
    train: bool = False
    min_accepted_share: float = Field(0.005, ge=0, le=1)


class RetentionConfig(BaseModel):
    """What `clean` keeps: the data of the newest `versions` versions; null keeps all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    versions: int | None = Field(None, ge=1)
