"""Errors of the Hub as one line that names what to change, never with the token in it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub.errors import HfHubHTTPError

from skillmill.data.errors import SkillmillError

TOKEN = "HF_TOKEN"  # noqa: S105, the name of the variable
_TEMPORARY = {408, 429, 500, 502, 503, 504}
_CONFLICT = {409, 412}
"""The repository changed since it was read: the head moved, or the tag is there already."""
_LONGEST = 300


class HubError(SkillmillError):
    """The Hub refused a call, or did not answer."""


class NoRepository(HubError):
    """There is no repository of this name, or the token may not see it."""


class TemporaryHubError(HubError):
    """A call may succeed if it is sent again, `retry_after_s` seconds later if the Hub said so."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@contextmanager
def hub_errors(action: str, repo_id: str, token: str | None) -> Iterator[None]:
    """Raise each error of `huggingface_hub` in the block as a `HubError`; `action` says what the block does."""
    try:
        yield
    except (HfHubHTTPError, httpx2.HTTPError, RuntimeError, ValueError) as error:
        raise _hub_error(_root(error), action, repo_id, token) from None


def _root(error: BaseException) -> BaseException:
    """Return the error of the call: an upload raises it as the cause of a `RuntimeError`."""
    while isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _hub_error(error: BaseException, action: str, repo_id: str, token: str | None) -> HubError:
    if isinstance(error, HfHubHTTPError):
        return _refusal(error, action, repo_id, token)
    reason = one_line(str(error), token) or type(error).__name__
    if isinstance(error, httpx2.HTTPError | json.JSONDecodeError):  # no reply, or one that is not from the Hub
        return TemporaryHubError(f"cannot {action}: the Hub does not answer ({reason})")
    return HubError(f"cannot {action}: {reason}")


def _refusal(error: HfHubHTTPError, action: str, repo_id: str, token: str | None) -> HubError:
    status = error.response.status_code
    reason = one_line(error.server_message or error.response.reason_phrase, token)
    known = f" ({status}: {reason})"
    if status == 401:
        had = "the Hub does not know the token" if token else "the Hub asks for a token"
        return HubError(f"{TOKEN}: cannot {action}: {had}{known}; expected a token that may write to {repo_id}")
    if status == 403:
        return HubError(
            f"{TOKEN}: cannot {action}: the token has no right to do so{known}; expected a token with write access to "
            f"{repo_id}"
        )
    if status == 404:
        return NoRepository(
            f"{TOKEN}: cannot {action}: there is no {repo_id}, or it is private and the token may not read it{known}"
        )
    if status in _TEMPORARY | _CONFLICT:
        return TemporaryHubError(f"cannot {action}: the Hub refused{known}", _retry_after_s(error))
    return HubError(f"cannot {action}: the Hub refused{known}")


def _retry_after_s(error: HfHubHTTPError) -> float | None:
    """Return the seconds of `Retry-After`; None if the Hub sent none, or a date."""
    text = error.response.headers.get("Retry-After", "").strip()
    return float(text) if text.isdecimal() else None


def one_line(text: str, token: str | None) -> str:
    """Return a text of the Hub as one line of at most 300 characters, with the token masked."""
    words = " ".join(text.split())
    if token:
        words = words.replace(token, "***")
    return words if len(words) <= _LONGEST else words[: _LONGEST - 3] + "..."
