"""The protocol between skillmill and a model: request, reply, failures, and `Teacher` itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from skillmill.data.reasons import TRANSPORT, Reason
from skillmill.data.records import Message


class Sampling(BaseModel):
    """Decoding parameters. All of them are part of the plan and of the journal's key.

    Further fields (`top_k`, `min_p`, …) are passed to the engine unchanged.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    temperature: float = Field(0.8, ge=0, le=5)
    top_p: float = Field(1.0, gt=0, le=1)
    max_tokens: int = Field(1024, ge=1)

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """All fields by name, as `model_dump` returns them, for the many requests that share this object."""
        return self.model_dump()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> "Sampling":
        """Return a copy with other values, whose `parameters` are its own: pydantic would copy those of this object."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("parameters", None)
        return copied

    @model_validator(mode="after")
    def _is_not_misspelled(self) -> "Sampling":
        for name in self.model_extra or ():
            if near := get_close_matches(name, type(self).model_fields, n=1, cutoff=0.85):
                raise ValueError(f"{name}: unknown key, expected {near[0]}")
        return self


@dataclass(frozen=True, slots=True)
class Request:
    """One chat request.

    `json_schema` constrains the reply's text. `stage` and `attempt` (0 for the first attempt) are used for accounting.
    `key` is the request's key in the journal, b"" before the journal was asked.
    """

    messages: list[Message]
    sampling: Sampling
    seed: int
    json_schema: dict[str, Any] | None = None
    stage: str = "generate"
    attempt: int = 0
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply. `finish_reason` is "stop", "length" or "content_filter"; token fields are counts.

    `cached_tokens` are part of `prompt_tokens` and `thinking_tokens` part of `completion_tokens`; both are 0 if the
    engine does not report them. `estimated`: the server does not report all counts, and they are estimated.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    thinking: str = ""
    thinking_tokens: int = 0
    estimated: bool = False

    @property
    def lost_to_thinking(self) -> bool:
        """Whether the reply has no text because its reasoning took all tokens of `max_tokens`."""
        thought = bool(self.thinking or self.thinking_tokens) or not self.text  # a small model may write white space
        return self.finish_reason == "length" and thought and not self.text.strip()


@dataclass(frozen=True, slots=True)
class Load:
    """The load that an engine reports about itself.

    `running` and `waiting` are numbers of requests, `kv_used` is the used share of the KV cache. The other fields are
    totals since the engine started: `preemptions`, the prompt tokens looked up in the prefix cache (`cache_queries`)
    and those found there (`cache_hits`).
    """

    running: float
    waiting: float
    kv_used: float = 0.0
    preemptions: float = 0.0
    cache_queries: float = 0.0
    cache_hits: float = 0.0


@dataclass(eq=False)
class RequestFailed(Exception):
    """A request that gets no reply. It costs one row: the runner keeps the row, rejected for `reason`."""

    reason: Reason
    detail: str = field(default="")

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class TransientError(Exception):
    """A failure that may not happen again. `retry_after` is the pause in seconds that the server requests, if any.

    `overloaded`: the engine has too much to do (429, 503, time-outs), so fewer concurrent requests would help.
    """

    def __init__(
        self,
        detail: str,
        reason: Reason = TRANSPORT,
        retry_after: float | None = None,
        overloaded: bool = False,
    ) -> None:
        super().__init__(detail)
        self.detail, self.reason, self.retry_after, self.overloaded = detail, reason, retry_after, overloaded


class Teacher(Protocol):
    """A model that answers requests. `name` identifies the model and is part of the plan."""

    name: str

    async def chat(self, request: Request) -> Reply:
        """Answer one request.

        Raises `RequestFailed` if this request alone fails and `TeacherError` if the run has to stop. An engine may
        also raise `TransientError`, which `resilience.Resilient` handles.
        """
        ...
