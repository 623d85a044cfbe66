"""Whether progress is shown on the terminal: one answer for all live lines and progress bars."""

import logging
import sys

LOGGER = "skillmill"
"""The logger above all loggers of skillmill."""


def shows_progress() -> bool:
    """Return whether a live line or a progress bar fits.

    It does if standard error is a terminal, the level of `LOGGER` is not above INFO, and none of its handlers writes
    JSON.
    """
    logger = logging.getLogger(LOGGER)
    writes_json = any(getattr(handler, "as_json", False) for handler in logger.handlers)
    return sys.stderr.isatty() and logger.level <= logging.INFO and not writes_json
