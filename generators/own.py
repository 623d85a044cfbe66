"""A generator of the user's own: a class in a file beside the configuration, or in an installed module."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.generators.base import Generator
from skillmill.teachers.base import Sampling


def own_generator(kind: str, folder: Path, sampling: Sampling, generations: int) -> Generator:
    """The generator that `kind` names, `package.module:Class`: first looked for in `folder`.

    Raises `ConfigError` where there is no such module or class, or where it is no generator.
    """
    module, _, name = kind.partition(":")
    found = getattr(_module(module, kind, folder), name, None)
    if not isinstance(found, type):
        raise ConfigError(f"generation.kind: {kind}: there is no class {name} in {module}")
    if not inspect.iscoroutinefunction(getattr(found, "make", None)):
        raise ConfigError(f"generation.kind: {kind}: expected a method `async def make(self, cell, teacher)`")
    try:
        generator: Generator = found(sampling, generations)
    except SkillmillError:
        raise
    except Exception as error:
        raise ConfigError(f"generation.kind: cannot make {kind}(sampling, generations): {_described(error)}") from None
    for attribute in ("kind", "prompts"):
        if not isinstance(getattr(generator, attribute, None), str):
            raise ConfigError(f"generation.kind: {kind}: expected an attribute `{attribute}`, a text")
    return generator


def _module(name: str, kind: str, folder: Path) -> ModuleType:
    path = folder.resolve().joinpath(*name.split(".")).with_suffix(".py")
    try:
        with _importable(folder.resolve(), Path.cwd()):
            return _from_file(path) if path.is_file() else importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            raise ConfigError(f"generation.kind: {kind}: there is no {path} and no installed module {name}") from None
        raise ConfigError(f"generation.kind: cannot import {kind}: {error}") from None
    except Exception as error:  # whatever the user's file raises
        raise ConfigError(f"generation.kind: cannot import {kind}: {_described(error)}") from None


def _described(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _from_file(path: Path) -> ModuleType:
    """The module of a file, read anew, under a name that hides no installed one and no other folder's."""
    spec = spec_from_file_location(str(path), path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
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
