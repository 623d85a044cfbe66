"""Changes to a taxonomy file that leave the rest of it as the person wrote it: order, spacing and comments."""

import re
from typing import Any

import yaml

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.taxonomy import KEYS, Taxonomy, read_taxonomy, taxonomy_text


def edited(text: str, before: Taxonomy, after: Taxonomy) -> tuple[str, bool]:
    """The text of `before` changed into one of `after`, and whether its comments are still there.

    `after` has entries of `before`, in order, some of them changed, some left out. Entries that stay keep their
    bytes; of a changed one only the changed field is written anew. Where the file is written in a way that cannot be
    changed so (anchors, several documents), the whole is written anew, without comments.
    """
    try:
        changed = _apply(text, _changes(yaml.compose(text, Loader=yaml.CSafeLoader), before, after, text))
        if read_taxonomy(changed, "") == after:
            return changed, True
    except (yaml.YAMLError, ConfigError, _CannotEditError):
        pass
    return taxonomy_text(after), False


class _CannotEditError(Exception):
    pass


_Change = tuple[int, int, str]  # from, to, what stands there instead


def _changes(root: Any, before: Taxonomy, after: Taxonomy, text: str) -> list[_Change]:
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
                    changes.append(_field(sequence.value[place], field, new[field], text))
    return changes


def _paired(before: tuple[Any, ...], after: tuple[Any, ...]) -> list[tuple[Any, Any]]:
    """Each entry that stays with what becomes of it: the next of the same name."""
    rest = iter(before)
    pairs = []
    for new in after:
        old = next((old for old in rest if old.name == new.name), None)
        if old is None:
            raise _CannotEditError
        pairs.append((old, new))
    return pairs


def _removal(sequence: Any, place: int, text: str) -> _Change:
    node = sequence.value[place]
    start, end = node.start_mark.index, _end(node)
    if sequence.flow_style:
        comma = re.compile(r"\s*,").match(text, end)  # YAML minds no comma before the closing bracket
        return start, comma.end() if comma else end, ""
    line = text.rfind("\n", 0, start) + 1
    if text[line:start].strip() != "-":
        raise _CannotEditError
    return line, _line_end(text, end), ""


def _field(entry: Any, field: str, value: Any, text: str) -> _Change:
    shown = yaml.dump(value, default_flow_style=True, allow_unicode=True, width=10**6).removesuffix("...\n").strip()
    for key, old in entry.value:
        if key.value == field:
            return key.end_mark.index, _end(old), f": {shown}"
    end = _end(entry)
    if entry.flow_style:
        return end - 1, end - 1, f", {field}: {shown}"
    line_end = _line_end(text, end)
    newline = "" if text[:line_end].endswith("\n") else "\n"
    return line_end, line_end, f"{newline}{' ' * entry.start_mark.column}{field}: {shown}\n"


def _end(node: Any) -> int:
    """Where the text of a node ends. The mark of a block is where the next thing begins, comments included."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        end: int = node.end_mark.index
        return end
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _line_end(text: str, position: int) -> int:
    """Behind the line that `position` lies in, or `position` itself where a line has just begun (block scalars)."""
    if position and text[position - 1] == "\n":
        return position
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def _apply(text: str, changes: list[_Change]) -> str:
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text
