"""What a provider says about a batch as a whole, and what a failed batch means for its requests."""

import re
from dataclasses import dataclass
from typing import Any, Literal

_ENDED = {"completed", "failed", "expired", "cancelled"}
_NO_ROOM = re.compile(r"token_limit|enqueued|batch_limit|too many batches|queue.{0,20}(?:limit|full)", re.IGNORECASE)
"""Words for a limit on what may wait at the provider, such as OpenAI's on enqueued tokens."""


@dataclass(frozen=True, slots=True)
class BatchFault:
    """A reason why a batch failed as a whole. `line` counts from 1; None: the fault is not that of one request."""

    code: str
    message: str
    line: int | None


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """A batch at the provider. `state` is as OpenAI names it; `total`, `completed` and `failed` count requests.

    `file_id` is the file of requests, `answers` and `errors` are the files with answers, "" while there is none.
    """

    id: str
    state: str
    file_id: str = ""
    answers: str = ""
    errors: str = ""
    token: str = ""
    created: float | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    faults: tuple[BatchFault, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether the provider is done with it."""
        return self.state in _ENDED

    @property
    def words(self) -> str:
        """The provider's words about the faults, "" if there are none."""
        said = [f"{fault.message} ({fault.code})" if fault.code else fault.message for fault in self.faults]
        return "; ".join(dict.fromkeys(said))[:400]


TOKEN = "skillmill_batch"  # noqa: S105 (the name of a field)
"""The key of our name for a batch in its metadata."""


def read_status(body: Any) -> BatchStatus:
    """Return the status in a batch object. Raises `ValueError` if it has no id and no status."""
    if not isinstance(body, dict) or not body.get("id") or not body.get("status"):
        raise ValueError("a batch object expected")
    counts, metadata = _part(body, "request_counts"), _part(body, "metadata")
    faults = _part(body, "errors").get("data")
    created = body.get("created_at")
    return BatchStatus(
        id=str(body["id"]),
        state=str(body["status"]).lower().replace("canceled", "cancelled"),
        file_id=str(body.get("input_file_id") or ""),
        answers=str(body.get("output_file_id") or ""),
        errors=str(body.get("error_file_id") or ""),
        token=str(metadata.get(TOKEN) or ""),
        created=float(created) if isinstance(created, int | float) else None,
        total=_count(counts, "total"),
        completed=_count(counts, "completed"),
        failed=_count(counts, "failed"),
        faults=tuple(_fault(each) for each in faults if isinstance(each, dict)) if isinstance(faults, list) else (),
    )


def has_no_room(words: str) -> bool:
    """Return whether a message means that too much waits at the provider already."""
    return _NO_ROOM.search(words) is not None


def fault_of(status: BatchStatus, requests: int) -> Literal["no room", "lines", "all"]:
    """Return what made a batch of so many requests fail: "no room" at the provider, some of its "lines", or "all".

    "lines": each fault names a line, and less than half of the requests are named.
    """
    if has_no_room(status.words):
        return "no room"
    lines = {fault.line for fault in status.faults}
    return "lines" if lines and None not in lines and 2 * len(lines) < requests else "all"


def _part(body: dict[str, Any], name: str) -> dict[str, Any]:
    part = body.get(name)
    return part if isinstance(part, dict) else {}


def _count(counts: dict[str, Any], name: str) -> int:
    number = counts.get(name)
    return number if isinstance(number, int) else 0


def _fault(body: dict[str, Any]) -> BatchFault:
    line = body.get("line")
    words = " ".join(str(body.get("message") or "").split())
    return BatchFault(str(body.get("code") or ""), words, line if isinstance(line, int) else None)
