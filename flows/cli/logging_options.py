"""`-q`, `-v` and `--log-json`: the options that every command and every group takes."""

import logging
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from skillmill.data.terminal import LOGGER
from skillmill.flows.runtime.logs import installed_handler


def _set_quiet(value: bool) -> None:
    if value:
        logging.getLogger(LOGGER).setLevel(logging.WARNING)


def _set_verbose(value: bool) -> None:
    if value:
        logging.getLogger(LOGGER).setLevel(logging.DEBUG)


def _set_json(value: bool) -> None:
    if value and (handler := installed_handler()) is not None:
        handler.as_json = True


_options = typer.Typer(add_completion=False)


@_options.command()
def _declare(
    quiet: Annotated[
        bool,
        typer.Option("-q", "--quiet", callback=_set_quiet, expose_value=False, help="Show only warnings and errors."),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("-v", "--verbose", callback=_set_verbose, expose_value=False, help="Show details too."),
    ] = False,
    log_json: Annotated[
        bool,
        typer.Option("--log-json", callback=_set_json, expose_value=False, help="Write messages as JSON, one a line."),
    ] = False,
) -> None:
    """Declare the options in Typer's own form; this command is never called."""


LOGGING_OPTIONS = typer.main.get_command(_options).params
"""The three options, which act when they are parsed: the last of -q and -v wins, before or after the command."""


class Command(TyperCommand):
    """A command that takes the logging options beside its own."""

    def __init__(self, name: str | None, *, params: list[Any] | None = None, **settings: Any) -> None:
        super().__init__(name, params=[*(params or []), *LOGGING_OPTIONS], **settings)


class Group(TyperGroup):
    """A group of commands that takes the logging options before the command."""

    def __init__(self, *, params: list[Any] | None = None, **settings: Any) -> None:
        super().__init__(params=[*(params or []), *LOGGING_OPTIONS], **settings)
