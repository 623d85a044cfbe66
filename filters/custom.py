"""User-defined filters: functions that the configuration names in `filters.custom`."""

import copy
import inspect
from collections.abc import Awaitable, Callable, Iterable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.inputs.plugins import exception_line, load_user_module
from skillmill.data.reasons import CUSTOM
from skillmill.data.records import SampleRow, text_of


@dataclass(frozen=True)
class CustomFilter:
    """A user-defined filter, plain or async: `function(instruction, response, row)` returns a list of reasons."""

    name: str
    """Its name in the configuration, `package.module:function`."""
    function: Callable[[str, str, dict[str, Any]], Iterable[str] | Awaitable[Iterable[str]]]
    source: bytes
    """The content of the function's file. If it changes, rows are decided again."""


def load_custom(names: Iterable[str], folder: Path) -> tuple[CustomFilter, ...]:
    """Import the named functions, from modules in `folder` or installed ones.

    Raises `ConfigError`, which contains the name, if a function cannot be imported.
    """
    return tuple(_load(name, folder) for name in names)


def _load(name: str, folder: Path) -> CustomFilter:
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise ConfigError(f"filters.custom: expected package.module:function, got {name!r}")
    module = load_user_module("filters.custom", name, folder)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ConfigError(f"filters.custom: {name}: there is no function {function_name} in {module_name}")
    return CustomFilter(name, function, Path(module.__file__).read_bytes() if module.__file__ else b"")


async def custom_reasons(filters: Iterable[CustomFilter], row: SampleRow) -> list[str]:
    """Return the reasons that the filters give for a row, each once, with the prefix `custom:`.

    Each function receives a copy of the row with its signals as a dict. Raises `SkillmillError`, which names the
    function and the row, if a function fails or returns no list of strings: the row must not pass unchecked.
    """
    reasons: list[str] = []
    for custom in filters:
        try:
            result = await _call(custom, row)
        except Exception as error:  # a user's function can raise any exception
            message = f"failed on row {row['id']}: {exception_line(error)}"
            raise SkillmillError(f"filters.custom: {custom.name} {message}") from None
        if not isinstance(result, list) or not all(isinstance(reason, str) and reason.strip() for reason in result):
            raise SkillmillError(
                f"filters.custom: {custom.name}: expected a list of reasons (strings) for row {row['id']}, "
                f"got {result!r}"
            )
        reasons += [f"{CUSTOM}{' '.join(reason.split())}" for reason in result]
    return list(dict.fromkeys(reasons))


async def _call(custom: CustomFilter, row: SampleRow) -> object:
    """Return what the function returns for a row: an iterable as a list, a set in sorted order."""
    own_copy: dict[str, Any] = {**copy.deepcopy(row), "signals": dict(row["signals"])}
    result: object = custom.function(text_of(row["prompt"]), text_of(row["completion"]), own_copy)
    if inspect.isawaitable(result):
        result = await result
    if isinstance(result, Iterable) and not isinstance(result, str):
        return sorted(result) if isinstance(result, Set) else list(result)
    return result
