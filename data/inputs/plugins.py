"""Import modules that the configuration names: files beside it, or installed modules."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from skillmill.data.errors import ConfigError


def load_user_module(key: str, reference: str, folder: Path) -> ModuleType:
    """Import the module of a reference `module:name`, preferring a file in `folder` over an installed module.

    A file whose content has changed since the last call is imported again. Raises `ConfigError` that begins with `key`,
    the configuration key, if the module does not exist or its import fails.
    """
    name = reference.partition(":")[0]
    path = folder.resolve().joinpath(*name.split(".")).with_suffix(".py")
    try:
        with _import_path(folder.resolve(), Path.cwd()):
            return _module_from_file(path) if path.is_file() else importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            raise ConfigError(f"{key}: {reference}: there is no {path} and no installed module {name}") from None
        raise ConfigError(f"{key}: cannot import {reference}: {error}") from None
    except Exception as error:  # the module can raise any exception
        raise ConfigError(f"{key}: cannot import {reference}: {exception_line(error)}") from None


def exception_line(error: Exception) -> str:
    """Return the type and message of an exception in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


_modules: dict[Path, tuple[bytes, ModuleType]] = {}
"""Imported files with the source that was imported."""


def _module_from_file(path: Path) -> ModuleType:
    """Import a file as a module named by its path, so that it replaces no module of the same name."""
    source = path.read_bytes()
    imported = _modules.get(path)
    if imported is not None and imported[0] == source:
        return imported[1]
    spec = spec_from_file_location(str(path), path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    _modules[path] = source, module
    return module


@contextmanager
def _import_path(*folders: Path) -> Iterator[None]:
    """Put the folders first on the import path within the block."""
    before = list(sys.path)
    sys.path[:0] = map(str, folders)
    try:
        yield
    finally:
        sys.path[:] = before
