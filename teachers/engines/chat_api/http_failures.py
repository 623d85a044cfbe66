"""Failed HTTP requests to a chat server: which to retry, which mean overload, and which stop the run.

`http_failure` decides by the status; the sets below name the statuses of each kind.
"""

import re
import time
from collections.abc import Callable, Mapping

from skillmill.data.errors import TeacherError
from skillmill.data.reasons import BAD_REQUEST, CONTEXT_LENGTH, RATE_LIMIT, TRANSPORT
from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.teachers.base import RequestFailed, TransientError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.chat_api.address import shown
from skillmill.teachers.engines.chat_api.error_message import ErrorMessage
from skillmill.teachers.engines.chat_api.waits import asked_wait_s
from skillmill.teachers.middleware.asked_waits import LOGGED_FROM_S

TRANSIENT = {408, 409, 425, 429}
"""Statuses to retry, besides all of 500 to 599."""
OVERLOADED = {408, 429, 503, 504, 529}
"""Transient statuses of a server that has too much to do: fewer concurrent requests would help."""
HOPELESS = {401, 402, 403, 404, 405, 407, 410}
"""Statuses that every request would get, so the run stops."""

_HINTS = {
    401: "; the key is read from the variable {variable} ({section}.api_key_env)",
    403: "; the key is read from the variable {variable} ({section}.api_key_env)",
    407: "; the proxy wants a user and a password: http://USER:PASSWORD@HOST:PORT in its variable",
    404: "; does {section}.base_url end as it should (mostly in /v1), and is {section}.model a name of that server?",
}
_TOO_LONG_STATUSES = {400, 413, 422, 500}
_TOO_LONG = lazy_pattern(
    r"context.?(?:length|window|size|limit)|max(?:imum)?.model.len|prompt is too long|max_new_tokens. must be|"
    r"inputs. must have less than|token count.*exceed|maximum number of tokens allowed|reduce the length",
    re.IGNORECASE,
)

_TEMPORARY_STATUSES = {400, 422, 424}
"""Statuses that mean a fault of the request, but also come for faults of the moment. TGI sends 424 for them."""
_TEMPORARY = lazy_pattern(
    r"model.{0,40}(?:crashed|unloaded|reloaded|is loading|not (?:yet )?(?:loaded|ready))|loading (?:the )?model|"
    r"no models? (?:is |are )?(?:currently )?loaded|failed to load|channel error|out of memory|overloaded|"
    r"temporarily|server (?:is )?busy|too busy|try again|retry later|timed? ?out|queue (?:is )?full|"
    r"connection (?:refused|reset|closed)|cuda error|internal (?:server )?error",
    re.IGNORECASE,
)
"""Words for the server's own state, which some servers (LM Studio) send as if the request were at fault."""

_SAMPLE = r"(?:json|output|response|completion|answer|text|document|object|(?:function|tool)[ _-]?calls?)"
_FAILED_SAMPLE = lazy_pattern(
    r"json_validate_failed|tool_use_failed|failed_generation|output_parse_failed|before generating a valid|"
    r"fail(?:ed|ure) to (?:generate|produce|create|output|return|validate|parse)"
    rf"(?: (?!request|body|grammar)\w+){{0,4}}? {_SAMPLE}\b"
    r"(?!.{0,2}(?:schema|grammar|format|mode))|failed to call (?:a )?(?:function|tool)|"
    rf"(?:generated|produced|model(?:'s)?)(?: \w+)? {_SAMPLE}\b.{{0,30}}(?:\bnot|n't|invalid|fail\w*|could not)\b"
    r".{0,30}(?:valid|match|conform|pars|fit|follow|comply|json)|"
    r"model (?:did not|didn't|could not|failed to|was unable to) (?:output|return|produce|generate|give|follow|comply)|"
    r"invalid json (?:was )?(?:generated|produced|output|(?:from|by) the model)",
    re.IGNORECASE,
)
"""Words for one sample that missed the requested form (Groq and others check it after decoding), not for the request.

The next sample may be right. Failures to read the schema itself are the request's.
"""


class Unreachable(TransientError):
    """The connection was refused or cut."""


def is_too_long(status: int, message: ErrorMessage) -> bool:
    """Return whether the server rejects the request because the prompt does not fit into the model's context."""
    return status in _TOO_LONG_STATUSES and _TOO_LONG.search(message.searchable) is not None


def is_failed_sample(status: int, message: ErrorMessage) -> bool:
    """Return whether the server says that the model's reply, not the request, missed the requested form."""
    return status in _TEMPORARY_STATUSES and _FAILED_SAMPLE.search(message.searchable) is not None


def http_failure(
    status: int,
    headers: Mapping[str, str],
    message: ErrorMessage,
    config: TeacherConfig,
    place: str,
    printable: Callable[[str], str],
) -> RequestFailed | TransientError | TeacherError:
    """Return the exception for a failed request.

    `message` is what the server's body says; `place` is the server's address, and the proxy's; `printable` makes text
    from the server fit to be shown: one line without secrets.
    """
    detail = f"HTTP {status}: {printable(message.text)}"
    if is_too_long(status, message):
        return RequestFailed(CONTEXT_LENGTH, detail)
    if 300 <= status < 400:
        target = printable(shown(headers.get("Location", "nowhere")))
        return TeacherError(f"{config.section}.base_url: {place} redirects to {target} (HTTP {status}), use that one")
    if status in HOPELESS or "insufficient_quota" in message.text:
        hint = _HINTS.get(status, "").format(variable=config.api_key_env, section=config.section)
        return TeacherError(f"teacher: the server at {place} refuses: {detail}{hint}")
    temporary = status in _TEMPORARY_STATUSES and _TEMPORARY.search(message.text) is not None
    if status in TRANSIENT or status >= 500 or temporary or is_failed_sample(status, message):
        reason = RATE_LIMIT if status == 429 else TRANSPORT
        pause = asked_wait_s({**headers, **message.headers}, message.text, time.time(), status == 429)
        detail += f" (it asks to wait {pause:.0f} s)" if pause and 1 <= pause <= LOGGED_FROM_S else ""
        return TransientError(detail, reason, pause, status in OVERLOADED)
    return RequestFailed(BAD_REQUEST, detail)
