"""How long a server asks to wait before the next request: in headers, as durations or times, or in words."""

import email.utils
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from skillmill.data.text.lazy_patterns import lazy_pattern

_UNIT = r"(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])"
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = lazy_pattern(rf"(\d+(?:\.\d+)?)\s*({_UNIT})(?:[\s,]|and\b)*", re.IGNORECASE)
_IN_WORDS = lazy_pattern(
    rf"(?:\b(?:try|retry|retrying)\b.{{0,30}}?\b(?:in|after)|\bwait)\s+(?:for\s+)?(?:about\s+)?"
    rf"(?P<wait>(?:{_PART.pattern})+)",
    re.IGNORECASE,
)
"""As in "Please try again in 7m12s" (OpenAI, Groq), "Please retry in 34.07s" (Gemini), "retry after 6 seconds"."""
_RESET = lazy_pattern(r"(?:x-|anthropic-)?ratelimit-(?:[a-z-]+-)?reset(?:-[a-z-]+)?", re.IGNORECASE)
"""As `x-ratelimit-reset-requests: 1m30s` (OpenAI, Groq), `X-RateLimit-Reset` as milliseconds since 1970 (OpenRouter),
`anthropic-ratelimit-requests-reset` as a time, `RateLimit-Reset` in seconds."""
_EPOCH_S, _EPOCH_MS = 1e8, 1e11
"""Numbers from here on are seconds, or milliseconds, since 1970: 1e8 seconds of waiting would be three years."""


def asked_wait_s(headers: Mapping[str, str], words: str, now: float, limited: bool) -> float | None:
    """Return the seconds that a server asks to wait, None if it does not.

    `now` is the time since the epoch by this machine's clock; the reply's own `Date` takes precedence, because the
    clocks of two machines differ. `words` is the error message. `limited`: the server counts requests (HTTP 429), so
    that the resets of exhausted limits count too.
    """
    named = {name.lower(): value for name, value in headers.items()}
    clock = _time(named.get("date", ""))
    now = now if clock is None else clock
    milliseconds = _number(named.get("retry-after-ms", ""))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    wait = seconds_until(named.get("retry-after", ""), now)
    if wait is None and (found := _IN_WORDS.search(words)):
        wait = _duration(found["wait"])
    if wait is None and limited:
        waits = [seconds_until(value, now) for name, value in named.items() if _is_exhausted(name, named)]
        wait = max((each for each in waits if each is not None), default=None)
    return wait


def seconds_until(value: str, now: float) -> float | None:
    """Return the seconds from `now` on that a header's value means, None if it cannot be read.

    It may be a number of seconds, a duration such as "1m30s", a time since the epoch or a date.
    """
    number = _number(value)
    if number is not None:
        moment = number / 1000 if number >= _EPOCH_MS else number if number >= _EPOCH_S else now + number
        return max(0.0, moment - now)
    if (duration := _duration(value)) is not None:
        return duration
    time = _time(value)
    return None if time is None else max(0.0, time - now)


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _duration(value: str) -> float | None:
    """Return the seconds of a duration such as "1m30s" or "20 seconds", None if the text is something else."""
    parts = _PART.findall(value)
    if not parts or _PART.sub("", value).strip():
        return None
    return sum(float(number) * _seconds(unit.lower()) for number, unit in parts)


def _seconds(unit: str) -> float:
    return 0.001 if unit.startswith(("ms", "milli")) else _SECONDS[unit[0]]


def _time(value: str) -> float | None:
    """Return the seconds since the epoch of a date as in HTTP or in ISO 8601, None if the text is something else."""
    for parse in (email.utils.parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = parse(value.strip())
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, OverflowError):
            continue
    return None


def _is_exhausted(name: str, headers: Mapping[str, str]) -> bool:
    """Return whether a header names the reset of a limit of which nothing remains."""
    if _RESET.fullmatch(name) is None:
        return False
    remaining = _number(headers.get(name.replace("reset", "remaining"), "0"))
    return remaining is None or remaining <= 0
