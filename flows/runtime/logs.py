"""The log of a process: messages for people go to loggers below `skillmill` and from there to standard error.

Standard output is for results only. As a library skillmill installs no handler; the command line installs one.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from skillmill.data.terminal import LOGGER

ON_LIVE_LINE = "on_live_line"
"""Attribute of a record that is already visible on the live progress line; only other handlers take it."""


class TerminalHandler(logging.Handler):
    """Writes each record as one line to the current `sys.stderr`, which rich replaces while its live line is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.as_json = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write `record`, unless the live progress line shows it."""
        if getattr(record, ON_LIVE_LINE, False):
            return
        try:
            line = json_line(record) if self.as_json else self.format(record)
            print(line, file=sys.stderr, flush=True)
        except Exception:  # as every handler of the standard library: a failed message never stops the run
            self.handleError(record)


def json_line(record: logging.LogRecord) -> str:
    """Return `record` as a JSON object: time (UTC, ISO 8601), level, logger, message, and traceback if there is one."""
    import orjson  # not needed at start

    moment = datetime.fromtimestamp(record.created, UTC)
    fields = {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
    }
    if record.exc_info:
        fields["traceback"] = logging.Formatter().formatException(record.exc_info)
    return orjson.dumps(fields).decode()


@contextmanager
def terminal_log() -> Iterator[TerminalHandler]:
    """Write the messages of skillmill to standard error while the context is open, from level INFO on.

    Messages do not reach the root logger meanwhile: a handler that a library installs there would repeat them.
    """
    logger, handler = logging.getLogger(LOGGER), TerminalHandler()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


def installed_handler() -> TerminalHandler | None:
    """Return the handler that `terminal_log` installed, or None outside of it."""
    handlers = logging.getLogger(LOGGER).handlers
    return next((handler for handler in handlers if isinstance(handler, TerminalHandler)), None)
