"""The `teacher:` and `grader:` blocks of the configuration."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer, model_validator

from skillmill.teachers.base import Sampling
from skillmill.teachers.engines.chat_api.address import HIDDEN, parse_address, shown


class Retry(BaseModel):
    """How long to go on where the teacher fails.

    A request that fails while others are answered is asked `tries` times; the n-th pause is jittered below
    first_pause_s * 2^n, at most longest_pause_s. A teacher that answers nobody, or fails more than half of what it is
    asked, stops the run after `patience_s`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tries: int = Field(6, ge=1)
    first_pause_s: float = Field(0.5, ge=0)
    longest_pause_s: float = Field(20, gt=0)
    patience_s: float = Field(120, gt=0)


class TeacherConfig(BaseModel):
    """Which engine answers and how. `api_key_env` is the name of a variable, never the key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["embedded", "vllm", "openai"] = "embedded"
    model: str | None = None
    base_url: str | None = Field(None, repr=False)
    api_key_env: str = "OPENAI_API_KEY"
    max_in_flight: int = Field(16, ge=1)
    timeout_s: float = Field(600, gt=0)
    retry: Retry = Retry()
    sampling: Sampling = Sampling()
    headers: dict[str, str] = Field({}, repr=False)
    extra_body: dict[str, Any] = {}
    engine_args: dict[str, Any] = {}
    serve: str | None = None
    serve_timeout_s: float = Field(900, gt=0)

    @model_validator(mode="after")
    def _a_served_model_is_asked_over_http(self) -> "TeacherConfig":
        if self.serve is not None and self.kind != "openai":
            raise ValueError(f"serve: expected kind: openai beside it, got {self.kind}")
        if self.serve is not None and self.base_url is not None:
            raise ValueError("serve: expected no base_url beside it, the command serves on a port of our choice")
        if self.serve is not None and not self.model:
            raise ValueError("serve: expected teacher.model beside it, the model's name on that server")
        return self

    @model_validator(mode="after")
    def _a_server_has_an_address_and_a_model(self) -> "TeacherConfig":
        if self.kind == "openai" and self.serve is None:
            if not self.base_url:
                raise ValueError("base_url: expected the server's address, such as http://127.0.0.1:8000/v1")
            parse_address(self.base_url)
            if not self.model:
                raise ValueError("model: expected the model's name on the server")
        return self

    @field_serializer("base_url")
    def _without_credentials(self, base_url: str | None) -> str | None:
        return base_url and shown(base_url)

    @field_serializer("headers")
    def _without_values(self, headers: dict[str, str]) -> dict[str, str]:
        return dict.fromkeys(headers, HIDDEN)

    def relative_to(self, folder: Path) -> "TeacherConfig":
        """With its paths, which a file has relative to itself, joined to that file's folder."""
        model, arguments = self.model, self.engine_args
        if model and self.kind != "openai":
            path = folder / Path(model).expanduser()
            model = str(path) if self.kind == "embedded" or path.is_dir() else model
        if self.kind == "vllm" and isinstance(arguments.get("lora"), str):
            arguments = {**arguments, "lora": str(folder / Path(arguments["lora"]).expanduser())}
        return self.model_copy(update={"model": model, "engine_args": arguments})
