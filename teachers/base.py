"""The one protocol between skillmill and whatever answers."""

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from skillmill.data.reasons import Reason
from skillmill.data.records import Message


class Sampling(BaseModel):
    """How the teacher decodes. All of it is part of the plan and of the journal's key.

    Other fields (`top_k`, `min_p`, …) go to the engine as they are.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    temperature: float = Field(0.8, ge=0, le=5)
    top_p: float = Field(1.0, gt=0, le=1)
    max_tokens: int = Field(1024, ge=1)

    @model_validator(mode="after")
    def _is_not_misspelled(self) -> "Sampling":
        for name in self.model_extra or ():
            if near := get_close_matches(name, type(self).model_fields, n=1, cutoff=0.85):
                raise ValueError(f"{name}: unknown key, expected {near[0]}")
        return self


@dataclass(frozen=True, slots=True)
class Request:
    """One question. `json_schema` constrains the answer; `stage` and `attempt` (0 at first) are for the accounting."""

    messages: list[Message]
    sampling: Sampling
    seed: int
    json_schema: dict[str, Any] | None = None
    stage: str = "generate"
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `finish_reason` is "stop" or "length", as the engine says it; tokens are counts.

    `cached_tokens` are part of the prompt's, `thinking_tokens` of the completion's, where the engine tells.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    thinking: str = ""
    thinking_tokens: int = 0


@dataclass(eq=False)
class RequestFailed(Exception):
    """This request has no answer. Costs the row alone: the runner keeps it, rejected for `reason`."""

    reason: Reason
    detail: str = field(default="")

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class TransientError(Exception):
    """A failure that may pass. `retry_after` is the server's own wish in seconds, if it had one.

    `overloaded`: the engine has too much to do (429, 503, time-outs), and fewer requests at once would help it.
    """

    def __init__(
        self,
        detail: str,
        reason: Reason = Reason.TRANSPORT,
        retry_after: float | None = None,
        overloaded: bool = False,
    ) -> None:
        super().__init__(detail)
        self.detail, self.reason, self.retry_after, self.overloaded = detail, reason, retry_after, overloaded


class Teacher(Protocol):
    """Anything that answers. `name` says which model it is and is part of the plan."""

    name: str

    async def chat(self, request: Request) -> Reply:
        """Answer one request. Raises `RequestFailed` for this row alone, `TeacherError` to stop the run.

        An engine may also raise `TransientError`, which `resilience.Resilient` handles."""
        ...
