"""User-defined generators: a class in a file beside the configuration, or in an installed module."""

import inspect
from pathlib import Path

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.inputs.plugins import exception_line, load_user_module
from skillmill.generators.base import Generator
from skillmill.teachers.base import Sampling


def user_generator(kind: str, folder: Path, sampling: Sampling, generations: int) -> Generator:
    """Return an instance of the class `kind`, "package.module:Class"; a module in `folder` takes precedence.

    Raises `ConfigError` if there is no such module or class, if its constructor fails, or if it does not implement
    `Generator`.
    """
    module, _, name = kind.partition(":")
    generator_class = getattr(load_user_module("generation.kind", kind, folder), name, None)
    if not isinstance(generator_class, type):
        raise ConfigError(f"generation.kind: {kind}: there is no class {name} in {module}")
    if not inspect.iscoroutinefunction(getattr(generator_class, "make", None)):
        raise ConfigError(f"generation.kind: {kind}: expected a method `async def make(self, cell, teacher)`")
    try:
        generator: Generator = generator_class(sampling, generations)
    except SkillmillError:
        raise
    except Exception as error:
        raise ConfigError(
            f"generation.kind: cannot make {kind}(sampling, generations): {exception_line(error)}"
        ) from None
    for attribute in ("kind", "prompts"):
        if not isinstance(getattr(generator, attribute, None), str):
            raise ConfigError(f"generation.kind: {kind}: expected an attribute `{attribute}`, a text")
    return generator
