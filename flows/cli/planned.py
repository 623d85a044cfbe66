"""Commands whose names are reserved for a later version: evaluate."""

from collections.abc import Callable

import typer

from skillmill.data.errors import ConfigError

ACCEPTS_ANYTHING = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Context settings with which such a command reaches its own error message whatever its arguments are."""


def planned(name: str, title: str) -> Callable[[typer.Context], None]:
    """Return a command that raises `ConfigError`: `name` is not there yet in this version."""

    def command(context: typer.Context) -> None:
        raise ConfigError(f"{name}: not there yet in this version")

    command.__doc__ = f"{title} (not there yet in this version).\n\nExample: skillmill {name} -c skillmill.yaml"
    return command


evaluate = planned("evaluate", "Evaluate a student with Skill-Mix")
