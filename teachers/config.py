"""The configuration of a model: the sections `teacher`, `grader` and `pairs.student`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_serializer, model_validator

from skillmill.data.inputs.local_files import joined
from skillmill.teachers.base import Sampling
from skillmill.teachers.engines import ENGINES
from skillmill.teachers.engines.chat_api.address import HIDDEN, parse_address, shown

if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[tuple(ENGINES)]  # a literal that is computed, which type checkers do not allow


BATCH_IN_FLIGHT = 10_000
"""The default of `max_in_flight` for requests that wait for batches."""


class Retry(BaseModel):
    """How long to retry failures.

    A request that fails while others get replies is sent at most `tries` times; the pause before try n+1 is jittered
    below first_pause_s * 2^n, at most longest_pause_s. The run stops after `patience_s` seconds in which no request
    got a reply or more than half of the requests failed. A pause that the server asks for may be longer, up to
    `longest_wait_s`, and does not count as lost patience; if the server asks for more, the run stops.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tries: int = Field(6, ge=1)
    first_pause_s: float = Field(0.5, ge=0)
    longest_pause_s: float = Field(20, gt=0)
    patience_s: float = Field(120, gt=0)
    longest_wait_s: float = Field(600, ge=0)


class TeacherConfig(BaseModel):
    """The engine, its model and how it is used. `api_key_env` is the name of a variable, never the key itself.

    With `batch`, requests go through the server's batch API, and `max_in_flight` is `BATCH_IN_FLIGHT` by default.
    `section` is the place of these settings in the configuration; error messages name their keys with it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    section: ClassVar[str] = "teacher"

    kind: Kind = "embedded"
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
    license: str | None = Field(None, min_length=1)
    serve: str | None = None
    serve_timeout_s: float = Field(900, gt=0)
    batch: bool = False

    @model_validator(mode="before")
    @classmethod
    def _batches_hold_many_requests(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("batch") is True:
            return {"max_in_flight": BATCH_IN_FLIGHT, **values}
        return values

    @model_validator(mode="after")
    def _only_servers_have_batches(self) -> Self:
        if self.batch and self.kind != "openai":
            raise ValueError(f"batch: expected kind: openai beside it, got {self.kind}")
        return self

    @model_validator(mode="after")
    def _serve_has_a_model_and_no_address(self) -> Self:
        if self.serve is not None and self.kind != "openai":
            raise ValueError(f"serve: expected kind: openai beside it, got {self.kind}")
        if self.serve is not None and self.base_url is not None:
            raise ValueError("serve: expected no base_url beside it, the command serves on a port of our choice")
        if self.serve is not None and not self.model:
            raise ValueError(f"serve: expected {self.section}.model beside it, the model's name on that server")
        return self

    @model_validator(mode="after")
    def _a_server_has_an_address_and_a_model(self) -> Self:
        if self.kind == "openai" and self.serve is None:
            if not self.base_url:
                raise ValueError("base_url: expected the server's address, such as http://127.0.0.1:8000/v1")
            parse_address(self.base_url, self.section)
            if not self.model:
                raise ValueError("model: expected the model's name on the server")
        return self

    @field_serializer("base_url")
    def _without_credentials(self, base_url: str | None) -> str | None:
        return base_url and shown(base_url)

    @field_serializer("headers")
    def _without_values(self, headers: dict[str, str]) -> dict[str, str]:
        return dict.fromkeys(headers, HIDDEN)

    def without_batches(self) -> Self:
        """Return a copy whose requests are sent one by one, for a few requests that should be answered at once."""
        if not self.batch:
            return self
        plain = type(self).model_fields["max_in_flight"].default
        return self.model_copy(update={"batch": False, "max_in_flight": min(plain, self.max_in_flight)})

    def relative_to(self, folder: Path) -> Self:
        """Return a copy whose relative paths are joined to `folder`, the folder of the configuration file."""
        model, arguments = self.model, self.engine_args
        if model and self.kind in ("embedded", "vllm"):
            path = folder / Path(model).expanduser()
            model = str(path) if self.kind == "embedded" or path.is_dir() else model
        if self.kind == "vllm" and isinstance(arguments.get("lora"), str):
            arguments = {**arguments, "lora": joined(folder, arguments["lora"])}
        return self.model_copy(update={"model": model, "engine_args": arguments})


class GraderConfig(TeacherConfig):
    """The settings of a grader of its own."""

    section: ClassVar[str] = "grader"


class StudentConfig(TeacherConfig):
    """The settings of the student whose answers become rejected answers."""

    section: ClassVar[str] = "pairs.student"
