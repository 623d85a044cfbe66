"""Modules of the user's own, named in the configuration: a file beside it, or an installed module."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from skillmill.data.errors import ConfigError


def own_module(key: str, named: str, folder: Path) -> ModuleType:
    """The module before the colon of `named`, first looked for in `folder`; a file is read anew where it changed.

    Raises `ConfigError` that begins with `key`.
    """
    name = named.partition(":")[0]
    path = folder.resolve().joinpath(*name.split(".")).with_suffix(".py")
    try:
        with _importable(folder.resolve(), Path.cwd()):
            return _from_file(path) if path.is_file() else importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            raise ConfigError(f"{key}: {named}: there is no {path} and no installed module {name}") from None
        raise ConfigError(f"{key}: cannot import {named}: {error}") from None
    except Exception as error:  # whatever the user's file raises
        raise ConfigError(f"{key}: cannot import {named}: {described(error)}") from None


def described(error: Exception) -> str:
    """An exception of the user's code in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


_read: dict[Path, tuple[bytes, ModuleType]] = {}


def _from_file(path: Path) -> ModuleType:
    """The module of a file, under a name that hides no installed one and no other folder's."""
    source = path.read_bytes()
    known = _read.get(path)
    if known is not None and known[0] == source:
        return known[1]
    spec = spec_from_file_location(str(path), path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    _read[path] = source, module
    return module


@contextmanager
def _importable(*folders: Path) -> Iterator[None]:
    """What lies in the folders can be imported, for as long as this lasts."""
    before = list(sys.path)
    sys.path[:0] = map(str, folders)
    try:
        yield
    finally:
        sys.path[:] = before
