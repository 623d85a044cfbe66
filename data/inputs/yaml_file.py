"""Where things stand in a YAML file: a finding without its line is a search for the person who edits it."""

from collections.abc import Hashable
from typing import Any

import yaml

from skillmill.data.errors import ConfigError

Location = tuple[int | str, ...]
"""A path into the content as pydantic writes it: ("skills", 3, "name")."""


class UniqueKeys(yaml.CSafeLoader):
    """YAML's safe loader, which also refuses a key that comes twice: the later one would silently win."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} comes twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(text: str, where: str) -> Any:
    """The content of the YAML file `where`. Raises `ConfigError` with its line, also for a key that comes twice."""
    try:
        return yaml.load(text, Loader=UniqueKeys)  # noqa: S506 (a safe loader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{where}{line}: is not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: is not YAML: {' '.join(str(error).split())}") from None
    except ValueError as error:  # a date or a number that YAML's own pattern takes and Python does not
        raise ConfigError(f"{where}: is not YAML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{where}: is not YAML that can be read: it is nested too deeply") from None


class Lines:
    """The lines, from 1, of everything in a YAML text; 1 for all of a text that is no YAML."""

    def __init__(self, text: str) -> None:
        try:
            self._root = yaml.compose(text, Loader=yaml.CSafeLoader)
        except yaml.YAMLError:
            self._root = None

    def __getitem__(self, location: Location) -> int:
        """The line of the key or entry at `location`, or of the innermost part of it that is there."""
        node, line = self._root, 1
        for part in location:
            found = _child(node, part)
            if found is None:
                break
            node, line = found
        return line


def _child(node: Any, part: int | str) -> tuple[Any, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return value, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None
