"""Filters of the user's own: plain functions that are named in the configuration."""

import copy
import inspect
from collections.abc import Awaitable, Callable, Iterable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.inputs.plugins import exception_line, load_user_module
from skillmill.data.reasons import CUSTOM
from skillmill.data.records import text_of

Reasons = Iterable[str]


@dataclass(frozen=True)
class Custom:
    """`function(instruction, response, row) -> reasons`, plain or async, under its name in the configuration."""

    name: str
    function: Callable[[str, str, dict[str, Any]], Reasons | Awaitable[Reasons]]
    source: bytes
    """The file that the function is in: when it changes, rows are decided again."""


def load_custom(names: Iterable[str], folder: Path) -> tuple[Custom, ...]:
    """Import `package.module:function` each, from `folder` too. Raises `ConfigError` that names what it cannot."""
    return tuple(_imported(name, folder) for name in names)


def _imported(name: str, folder: Path) -> Custom:
    module, _, function = name.partition(":")
    if not module or not function:
        raise ConfigError(f"filters.custom: expected package.module:function, got {name!r}")
    own = load_user_module("filters.custom", name, folder)
    found = getattr(own, function, None)
    if not callable(found):
        raise ConfigError(f"filters.custom: {name}: there is no function {function} in {module}")
    return Custom(name, found, Path(own.__file__).read_bytes() if own.__file__ else b"")


async def custom_reasons(functions: Iterable[Custom], row: dict[str, Any]) -> list[str]:
    """What the functions say, each reason behind `custom:`. They get a copy of the row, its signals as a dict.

    Raises `SkillmillError` that names the function and the row where one fails: a filter that is skipped would let
    rows through.
    """
    reasons: list[str] = []
    for custom in functions:
        shown = copy.deepcopy(row) | {"signals": dict(row["signals"])}
        try:
            said: Any = custom.function(text_of(row["prompt"]), text_of(row["completion"]), shown)
            if inspect.isawaitable(said):
                said = await said
            if isinstance(said, Iterable) and not isinstance(said, str):
                said = sorted(said) if isinstance(said, Set) else list(said)  # a set has no order of its own
        except Exception as error:  # whatever the user's function raises
            why = f"failed on row {row['id']}: {exception_line(error)}"
            raise SkillmillError(f"filters.custom: {custom.name} {why}") from None
        if not isinstance(said, list) or not all(isinstance(reason, str) and reason.strip() for reason in said):
            raise SkillmillError(
                f"filters.custom: {custom.name}: expected a list of reasons (strings) for row {row['id']}, got {said!r}"
            )
        reasons += [f"{CUSTOM}{' '.join(reason.split())}" for reason in said]
    return list(dict.fromkeys(reasons))
