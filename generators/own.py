"""A generator of the user's own: a class in a file beside the configuration, or in an installed module."""

import inspect
from pathlib import Path

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.inputs.plugins import described, own_module
from skillmill.generators.base import Generator
from skillmill.teachers.base import Sampling


def own_generator(kind: str, folder: Path, sampling: Sampling, generations: int) -> Generator:
    """The generator that `kind` names, `package.module:Class`: first looked for in `folder`.

    Raises `ConfigError` where there is no such module or class, or where it is no generator.
    """
    module, _, name = kind.partition(":")
    found = getattr(own_module("generation.kind", kind, folder), name, None)
    if not isinstance(found, type):
        raise ConfigError(f"generation.kind: {kind}: there is no class {name} in {module}")
    if not inspect.iscoroutinefunction(getattr(found, "make", None)):
        raise ConfigError(f"generation.kind: {kind}: expected a method `async def make(self, cell, teacher)`")
    try:
        generator: Generator = found(sampling, generations)
    except SkillmillError:
        raise
    except Exception as error:
        raise ConfigError(f"generation.kind: cannot make {kind}(sampling, generations): {described(error)}") from None
    for attribute in ("kind", "prompts"):
        if not isinstance(getattr(generator, attribute, None), str):
            raise ConfigError(f"generation.kind: {kind}: expected an attribute `{attribute}`, a text")
    return generator
