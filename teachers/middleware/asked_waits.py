"""The pauses that a server asks for: how long they may be, and when a log message names them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from skillmill.data.errors import TeacherError

LOGGED_FROM_S = 10.0
"""Pauses of more seconds are logged. Only these do not count as lost patience."""
LOGGED_AGAIN_AFTER_S = 600.0
"""Seconds before another pause is logged, unless it is more than twice as long."""


class TeacherAsksToWait(TeacherError):
    """The server asks for a longer pause than `retry.longest_wait_s`, such as one until its daily limit is reset."""

    def __init__(self, name: str, wait_s: float, longest_s: float, detail: str) -> None:
        super().__init__(
            f"teacher: {name} asks to wait {wait_s:.0f} s, longer than retry.longest_wait_s ({longest_s:g}): {detail}; "
            f"what was finished is kept, run again after {_clock_after(wait_s)}, or raise retry.longest_wait_s to wait"
        )


@dataclass
class AskedWaits:
    """The long pauses since the last answer. It does no input or output; times are seconds of one clock.

    `excused_s` is the time that the pauses cover together up to `until`, overlaps counted once.
    """

    longest_s: float
    until: float = 0.0
    excused_s: float = 0.0
    logged_s: float = 0.0
    logged_at: float | None = None

    def note(self, wait_s: float, now: float) -> None:
        """Take in a pause that the server asks for at the time `now`."""
        if wait_s > LOGGED_FROM_S:
            self.excused_s += max(0.0, now + wait_s - max(now, self.until))
            self.until = max(self.until, now + wait_s)

    def note_answer(self) -> None:
        """Take in that the server has answered a request."""
        self.until = self.excused_s = 0.0

    def passed_s(self, now: float) -> float:
        """Return the seconds before `now` that do not count as lost patience, at most `longest_s`."""
        return min(self.excused_s - max(0.0, self.until - now), self.longest_s)

    def should_log(self, wait_s: float, now: float) -> bool:
        """Return whether to log a pause, and take in that it is logged."""
        if wait_s <= LOGGED_FROM_S:
            return False
        if self.logged_at is not None and now - self.logged_at < LOGGED_AGAIN_AFTER_S and wait_s <= 2 * self.logged_s:
            return False
        self.logged_s, self.logged_at = wait_s, now
        return True


def wait_message(name: str, wait_s: float, detail: str) -> str:
    """Return the log message for a pause that the run waits for."""
    return f"teacher: {name} asks to wait {wait_s:.0f} s, until {_clock_after(wait_s)}: {detail}"


def _clock_after(seconds: float) -> str:
    """Return the local time after so many seconds, with the date if that is not today."""
    now = datetime.now().astimezone()
    try:
        then = now + timedelta(seconds=seconds)
    except OverflowError:
        return "the end of the calendar"
    return f"{then:%H:%M:%S}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M}"
