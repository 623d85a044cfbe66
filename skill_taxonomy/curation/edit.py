"""Edits of a taxonomy's YAML file that keep the order, spacing and comments of the parts that do not change.

The edits replace stretches of the text at the positions of PyYAML's nodes. A round trip through ruamel.yaml keeps
comments, but changes indentation, flow lists, folded lines and line ends of entries that are not edited.
"""

import re
from typing import Any

import yaml

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.formats import read_yaml_taxonomy, taxonomy_text
from skillmill.skill_taxonomy.taxonomy import KEYS, Entry, Taxonomy


def edit_text(text: str, before: Taxonomy, after: Taxonomy) -> tuple[str, bool]:
    """Return the YAML text of `before` changed into one of `after`, and whether it keeps its comments.

    The entries of `after` are entries of `before` in the same order, some with other fields, some removed. The bytes
    of unchanged entries and fields stay as they are. A file with constructs that cannot be edited in place, such as
    anchors or several documents, is replaced by new text without comments.
    """
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
        edited = _apply(text, _changes(root, before, after, text))
        if read_yaml_taxonomy(edited, "", duplicates=False) == after:
            return edited, True
    except (yaml.YAMLError, ConfigError, _CannotEditError):
        pass
    return taxonomy_text(after), False


class _CannotEditError(Exception):
    """The file has a construct that cannot be edited in place."""


_Change = tuple[int, int, str]
"""The start and end of a stretch of the text, and its replacement."""


def _changes(root: Any, before: Taxonomy, after: Taxonomy, text: str) -> list[_Change]:
    """Return the changes that turn the text of `before`, whose YAML root node is `root`, into one of `after`."""
    if not isinstance(root, yaml.MappingNode):  # a table, such as CSV
        raise _CannotEditError
    nodes = {key.value: value for key, value in root.value}
    changes: list[_Change] = []
    for key in KEYS:
        staying = {id(old): new for old, new in _paired(getattr(before, key), getattr(after, key))}
        for place, old in enumerate(getattr(before, key)):
            sequence = nodes[key]
            if id(old) not in staying:
                changes.append(_removal(sequence, place, text))
                continue
            new = staying[id(old)].model_dump(mode="json")
            for field, value in old.model_dump(mode="json").items():
                if new[field] != value:
                    changes.append(_field_change(sequence.value[place], field, new[field], text))
    return changes


def _paired(before: tuple[Entry, ...], after: tuple[Entry, ...]) -> list[tuple[Entry, Entry]]:
    """Return each entry of `before` that stays, with its new version: the next entry of `after` with its name."""
    rest = iter(before)
    pairs = []
    for new in after:
        old = next((old for old in rest if old.name == new.name), None)
        if old is None:
            raise _CannotEditError
        pairs.append((old, new))
    return pairs


def _removal(sequence: Any, place: int, text: str) -> _Change:
    """Return the change that removes an entry from a sequence node; comments above the entry stay."""
    node = sequence.value[place]
    start, end = node.start_mark.index, _end(node)
    if sequence.flow_style:
        comma = re.compile(r"\s*,").match(text, end)  # YAML allows a comma before the closing bracket
        return start, comma.end() if comma else end, ""
    line_start = text.rfind("\n", 0, start) + 1
    if text[line_start:start].strip() != "-":
        raise _CannotEditError
    return line_start, _line_end(text, end), ""


def _field_change(entry: Any, field: str, value: object, text: str) -> _Change:
    """Return the change that sets a field of an entry's mapping node, which may not have the field yet."""
    flow = yaml.dump(value, default_flow_style=True, allow_unicode=True, width=10**6).removesuffix("...\n").strip()
    for key, old in entry.value:
        if key.value == field:
            return key.end_mark.index, _end(old), f": {flow}"
    end = _end(entry)
    if entry.flow_style:
        return end - 1, end - 1, f", {field}: {flow}"
    line_end = _line_end(text, end)
    newline = "" if text[:line_end].endswith("\n") else "\n"
    return line_end, line_end, f"{newline}{' ' * entry.start_mark.column}{field}: {flow}\n"


def _end(node: Any) -> int:
    """Return the position where the text of a node ends.

    PyYAML's end mark of a block node is at the start of the next token, after comments that follow the node.
    """
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        end: int = node.end_mark.index
        return end
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _line_end(text: str, position: int) -> int:
    """Return the position after the line that contains `position`; `position` itself at the start of a line.

    The node of a block scalar ends at the start of a line.
    """
    if position and text[position - 1] == "\n":
        return position
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def _apply(text: str, changes: list[_Change]) -> str:
    """Return the text with the changes, which do not overlap."""
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text
