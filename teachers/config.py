"""The `teacher:` and `grader:` blocks of the configuration."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from skillmill.teachers.base import Sampling


class TeacherConfig(BaseModel):
    """Which engine answers and how. `api_key_env` is the name of a variable, never the key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["embedded", "vllm", "openai"] = "embedded"
    model: str | None = None
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    max_in_flight: int = Field(16, ge=1)
    timeout_s: float = Field(600, gt=0)
    sampling: Sampling = Sampling()
    headers: dict[str, str] = {}
    extra_body: dict[str, Any] = {}
    engine_args: dict[str, Any] = {}
    serve: str | None = None
