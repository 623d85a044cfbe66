"""Parse YAML files, with line numbers in error messages."""

from collections.abc import Hashable
from functools import cached_property
from typing import Any

import yaml

from skillmill.data.errors import ConfigError

Location = tuple[int | str, ...]
"""A path into the content, in pydantic's form: ("skills", 3, "name")."""


class UniqueKeyLoader(yaml.CSafeLoader):
    """The safe loader of PyYAML, but a repeated key is an error instead of replacing the earlier value."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """Construct a mapping. Raises `ConstructorError` if a key is repeated."""
        seen: set[str] = set()
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} comes twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(text: str, name: str) -> Any:
    """Return the content of a YAML text. `name`: name of its file, for error messages.

    Raises `ConfigError` with the file name and, if known, the line, if the text is not YAML or repeats a key.
    """
    try:
        return yaml.load(text, Loader=UniqueKeyLoader)  # noqa: S506 (it is a subclass of a safe loader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{name}{line}: is not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: is not YAML: {' '.join(str(error).split())}") from None
    except ValueError as error:  # PyYAML recognises some dates and numbers that Python cannot represent
        raise ConfigError(f"{name}: is not YAML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{name}: is not YAML that can be read: it is nested too deeply") from None


class LineNumbers:
    """The line number of each key and list entry in a YAML text, from 1. Every line is 1 if the text is not YAML."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _root(self) -> yaml.Node | None:
        try:
            root: yaml.Node | None = yaml.compose(self._text, Loader=yaml.CSafeLoader)
            return root
        except yaml.YAMLError:
            return None

    def __getitem__(self, location: Location) -> int:
        """Return the line of the key or entry at `location`; if it does not exist, the line of its nearest parent."""
        return self._nearest(location)[1]

    def misread(self, location: Location) -> str | None:
        """Return what YAML read in place of the text at `location`, such as `no` for false, and how to write it.

        None if there is no scalar, or if it is text. The part "[key]" of a location stands for a key of the mapping.
        """
        node, _ = self._nearest(location)
        if not isinstance(node, yaml.ScalarNode) or node.style in ("'", '"', "|", ">") or node.tag == _TEXT_TAG:
            return None
        if not node.value:
            return "expected text, found nothing"
        value = _MISREAD_AS.get(node.tag.rpartition(":")[2], "something else than text")
        if node.tag.endswith(":bool"):
            value = str(node.value.lower() in ("yes", "on", "true")).lower()
        return f"YAML reads {node.value} as {value}, put it in quotes to make it text: {_quoted(node.value)}"

    def _nearest(self, location: Location) -> tuple[yaml.Node | None, int]:
        """Return the node at `location`, or its nearest parent, and its line."""
        node, line = self._root, 1
        for place, part in enumerate(location):
            if location[place + 1 : place + 2] == ("[key]",) and (key := _key_that_is_no_text(node)):
                return key, key.start_mark.line + 1
            child = _child(node, part)
            if child is None:
                break
            node, line = child
        return node, line


_TEXT_TAG = "tag:yaml.org,2002:str"
_MISREAD_AS = {"null": "null", "int": "a number", "float": "a number", "timestamp": "a date", "bool": "a truth value"}
"""What YAML makes of a plain word, by the end of its tag."""


def _quoted(word: str) -> str:
    """Return a plain YAML scalar in quotes."""
    return "'" + word.replace("'", "''") + "'"


def _key_that_is_no_text(node: yaml.Node | None) -> yaml.ScalarNode | None:
    """Return the first key of a mapping that YAML did not read as text."""
    keys = [key for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    return next((key for key in keys if isinstance(key, yaml.ScalarNode) and key.tag != _TEXT_TAG), None)


def _child(node: yaml.Node | None, part: int | str) -> tuple[yaml.Node, int] | None:
    """Return the value at a key or index of a node, and the line where that key or entry begins."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return value, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None
