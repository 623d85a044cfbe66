"""Failed HTTP requests to a chat server: which to retry, which mean overload, and which stop the run.

`http_failure` decides by the status; the sets below name the statuses of each kind.
"""

import email.utils
import math
import re
import time
from collections.abc import Callable, Mapping

from skillmill.data.errors import TeacherError
from skillmill.data.reasons import BAD_REQUEST, CONTEXT_LENGTH, RATE_LIMIT, TRANSPORT
from skillmill.teachers.base import RequestFailed, TransientError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.chat_api.address import Address, shown
from skillmill.teachers.engines.chat_api.error_message import ErrorMessage

TRANSIENT = {408, 409, 425, 429}
"""Statuses to retry, besides all of 500 to 599."""
OVERLOADED = {408, 429, 503, 504, 529}
"""Transient statuses of a server that has too much to do: fewer concurrent requests would help."""
HOPELESS = {401, 402, 403, 404, 405, 407, 410}
"""Statuses that every request would get, so the run stops."""

_HINTS = {
    401: "; the key is read from the variable {variable} ({section}.api_key_env)",
    403: "; the key is read from the variable {variable} ({section}.api_key_env)",
    404: "; does {section}.base_url end as it should (mostly in /v1), and is {section}.model a name of that server?",
}
_TOO_LONG_STATUSES = {400, 413, 422, 500}
_TOO_LONG = re.compile(
    r"context.?(?:length|window|size|limit)|max(?:imum)?.model.len|prompt is too long|max_new_tokens. must be|"
    r"inputs. must have less than|token count.*exceed|maximum number of tokens allowed|reduce the length",
    re.IGNORECASE,
)

_TEMPORARY_STATUSES = {400, 422}
_TEMPORARY = re.compile(
    r"model.{0,40}(?:crashed|unloaded|reloaded|is loading|not (?:yet )?(?:loaded|ready))|loading (?:the )?model|"
    r"no models? (?:is |are )?(?:currently )?loaded|failed to load|channel error|out of memory|overloaded|"
    r"temporarily|server (?:is )?busy|too busy|try again|retry later|timed? ?out|queue (?:is )?full|"
    r"connection (?:refused|reset|closed)|cuda error|internal (?:server )?error",
    re.IGNORECASE,
)
"""Words for the server's own state, which some servers (LM Studio) send as if the request were at fault."""


class Unreachable(TransientError):
    """The connection was refused or cut."""


def is_too_long(status: int, message: ErrorMessage) -> bool:
    """Return whether the server rejects the request because the prompt does not fit into the model's context."""
    return status in _TOO_LONG_STATUSES and _TOO_LONG.search(message.searchable) is not None


def http_failure(
    status: int,
    headers: Mapping[str, str],
    message: ErrorMessage,
    config: TeacherConfig,
    address: Address,
    printable: Callable[[str], str],
) -> RequestFailed | TransientError | TeacherError:
    """Return the exception for a failed request.

    `message` is what the server's body says; `printable` makes text from the server fit to be shown: one line without
    secrets.
    """
    detail = f"HTTP {status}: {printable(message.text)}"
    if is_too_long(status, message):
        return RequestFailed(CONTEXT_LENGTH, detail)
    if 300 <= status < 400:
        target = printable(shown(headers.get("Location", "nowhere")))
        return TeacherError(f"{config.section}.base_url: {address} redirects to {target} (HTTP {status}), use that one")
    if status in HOPELESS or "insufficient_quota" in message.text:
        hint = _HINTS.get(status, "").format(variable=config.api_key_env, section=config.section)
        return TeacherError(f"teacher: the server at {address} refuses: {detail}{hint}")
    temporary = status in _TEMPORARY_STATUSES and _TEMPORARY.search(message.text) is not None
    if status in TRANSIENT or status >= 500 or temporary:
        reason = RATE_LIMIT if status == 429 else TRANSPORT
        pause = retry_after_s(headers, time.time())
        detail += f" (it asks to wait {pause:.0f} s)" if pause and pause >= 1 else ""
        return TransientError(detail, reason, pause, status in OVERLOADED)
    return RequestFailed(BAD_REQUEST, detail)


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return the pause in seconds that the server requests, None without one. `now` is the time since the epoch.

    Reads `retry-after-ms`, and `Retry-After` in seconds or as a date.
    """
    value, milliseconds = headers.get("Retry-After", ""), headers.get("retry-after-ms", "")
    try:
        seconds = float(milliseconds) / 1000 if milliseconds else float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
