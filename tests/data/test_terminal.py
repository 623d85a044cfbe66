"""Progress is shown on a terminal, unless only warnings or JSON are wanted there."""

import logging
import sys

import pytest

from skillmill.data.terminal import LOGGER, shows_progress


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """The logger of skillmill, with a terminal as standard error."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    logger = logging.getLogger(LOGGER)
    monkeypatch.setattr(logger, "level", logger.level)
    monkeypatch.setattr(logger, "handlers", [])
    return logger


@pytest.mark.parametrize(
    ("level", "shown"), [(logging.NOTSET, True), (logging.DEBUG, True), (logging.INFO, True), (logging.WARNING, False)]
)
def test_the_level_decides(logger: logging.Logger, level: int, shown: bool) -> None:
    logger.level = level
    assert shows_progress() is shown


def test_json_is_not_mixed_with_progress_bars(logger: logging.Logger) -> None:
    handler = logging.StreamHandler()
    logger.handlers.append(handler)
    assert shows_progress()
    handler.as_json = True  # type: ignore[attr-defined]
    assert not shows_progress()


def test_a_file_has_no_progress_bar(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    assert not shows_progress()
