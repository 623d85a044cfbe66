"""How the rows of other people's sets become rows of a method: layouts are recognised by their columns.

Known are chats (`messages`, `conversations`, ShareGPT), instructions with answers (Alpaca and others), prompts with
completions, and preference pairs, each with texts or lists of turns (`data/inputs/chats.py`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.data.export.thinking import THINKING
from skillmill.data.inputs.chats import ANSWERS, CHATS, REQUESTS, Turn, find_layout, join, known_turns
from skillmill.data.inputs.datasets import plain_text
from skillmill.data.records import Message
from skillmill.train.rows.methods import COLUMNS, LABEL

Row = dict[str, Any]
Values = Mapping[str, Any]
Read = Callable[[Values], list[Row]]

SYSTEM = ("system", "system_prompt")
HISTORY = "history"
LABELS = (LABEL, "kto_tag")
PAIR = ("chosen", "rejected")
THINKINGS = (THINKING, "reasoning_content", "reasoning", "reasoning_trace")
"""The names of the column with reasoning in front of an answer, in order of preference."""
_SPEAKER = re.compile(r"(?:^|\n\n)(Human|Assistant):")
_TRUE_FALSE = {"true": True, "1": True, "false": False, "0": False}

EXPECTED = {
    "sft": f"a chat ({', '.join(CHATS)}), or a request ({', '.join(REQUESTS[:5])}) with an answer "
    f"({', '.join(ANSWERS[:4])})",
    "dpo": "chosen and rejected, with a request (prompt, instruction, a chat) or inside chats",
    "kto": "a request with an answer and a label (true or false), or chosen and rejected",
    "grpo": f"a request ({', '.join(REQUESTS[:5])}) or a chat ({', '.join(CHATS)})",
}
"""The columns that each method needs, for messages."""


@dataclass(frozen=True)
class Reader:
    """Makes rows of a method from the rows of a set.

    `columns` are read from the set. `read` returns the rows that a row of the set gives, none if it has no request or
    no answer, and raises `ConfigError` for a chat with unknown roles and for a label that is none.
    """

    columns: tuple[str, ...]
    read: Read


def find_reader(stage: str, names: Sequence[str], further: Sequence[str] = ()) -> Reader | None:
    """Return the reader of a set with these columns for a stage, None if it has not what the method needs.

    The columns in `further` that the set has are handed on unchanged, `thinking` also under its other names.
    """
    reader = _reader(stage, names)
    if reader is None:
        return None
    wanted = dict.fromkeys(column for column in (*COLUMNS[stage], *further) if column not in _MADE)
    passed = {column: source for column in wanted if (source := _source_of(column, names))}

    def read(values: Values) -> list[Row]:
        return [{**{column: values[name] for column, name in passed.items()}, **row} for row in reader.read(values)]

    return Reader(tuple(dict.fromkeys((*reader.columns, *passed.values()))), read)


def _source_of(column: str, names: Sequence[str]) -> str | None:
    """Return the column of a set for a column of the rows; thinking has several names."""
    return next((name for name in (THINKINGS if column == THINKING else (column,)) if name in names), None)


def _reader(stage: str, names: Sequence[str]) -> Reader | None:
    is_pair = set(PAIR) <= set(names)
    # The chat of a pair may be that of its chosen side, so another column with the request comes first.
    request = _request_columns([name for name in names if name not in CHATS] if is_pair else names)
    request = request or _request_columns(names)
    is_chat = request[:1] in [(column,) for column in CHATS]
    answer = next((column for column in ANSWERS if column in names and column != "instances"), None)
    label = next((column for column in LABELS if column in names), None) if stage == "kto" else None
    context = (*request, *(column for column in (*SYSTEM, HISTORY) if column in names))
    if stage == "dpo" or (stage == "kto" and label is None):
        make = _pair_row if stage == "dpo" else _unpaired_rows
        return Reader((*context, *PAIR), lambda values: make(values, request)) if is_pair else None
    if stage == "grpo":
        source = request or (("chosen",) if "chosen" in names else ())
        return Reader((*source, *context), lambda values: _prompt_row(values, source)) if source else None
    if is_chat:
        answer = None
    elif answer is None:
        return None
    columns = (*context, *([answer] if answer else ()), *([label] if label else ()))
    return Reader(columns, lambda values: _answer_row(values, request, answer, label))


_MADE = ("prompt", "completion", *PAIR, LABEL)


def _request_columns(names: Sequence[str]) -> tuple[str, ...]:
    layout = find_layout(names)
    return () if layout is None or layout.requests == ("chosen",) else layout.requests


def _prompt_row(values: Values, request: Sequence[str]) -> list[Row]:
    turns = _request_turns(values, request)
    last = max((place for place, turn in enumerate(turns) if turn.role == "user"), default=-1)
    return [{"prompt": _messages(turns[: last + 1])}] if last >= 0 else []


def _answer_row(values: Values, request: Sequence[str], answer: str | None, label: str | None) -> list[Row]:
    """Return the row of the last answer of a chat, with all turns before it as its prompt."""
    turns = _conversation(values, request, answer)
    place = _last_answer(turns)
    if place is None or not any(turn.role == "user" for turn in turns[:place]):
        return []
    row: Row = {"prompt": _messages(turns[:place]), "completion": _messages(turns[place : place + 1])}
    if thinking := _thinking_in(values, (*request, *([answer] if answer else ()))):
        row[THINKING] = thinking
    return [{**row, LABEL: _label(values[label], label)}] if label else [row]


def _pair_row(values: Values, request: Sequence[str]) -> list[Row]:
    """Return the row of a pair: the turns that both sides begin with are its prompt."""
    chosen, rejected = (_conversation(values, request, column) for column in PAIR)
    same = next(
        (place for place, (one, other) in enumerate(zip(chosen, rejected, strict=False)) if one != other),
        min(len(chosen), len(rejected)),
    )
    start = max((place + 1 for place, turn in enumerate(chosen[:same]) if turn.role != "assistant"), default=0)
    sides = [turns[start : (_last_answer(turns) or 0) + 1] for turns in (chosen, rejected)]
    if not any(turn.role == "user" for turn in chosen[:start]) or not all(sides):
        return []
    row: Row = {"prompt": _messages(chosen[:start])}
    return [row | {column: _messages(side) for column, side in zip(PAIR, sides, strict=True)}]


def _unpaired_rows(values: Values, request: Sequence[str]) -> list[Row]:
    return [
        {"prompt": row["prompt"], "completion": row[column], LABEL: column == "chosen"}
        for row in _pair_row(values, request)
        for column in PAIR
    ]


def _conversation(values: Values, request: Sequence[str], answer: str | None) -> list[Turn]:
    """Return the turns of the request with the answer; an answer that is a whole chat stands for itself."""
    turns = _request_turns(values, request)
    if answer is None:
        return turns
    value = values[answer]
    given = known_turns(value, answer) or (known_turns([value], answer) if isinstance(value, Mapping) else None)
    if given is None:
        text = plain_text(value)
        given = dialogue(text) or ([Turn("assistant", text)] if text else [])
    if any(turn.role == "user" for turn in given):
        return given
    return [*turns, *given]


def dialogue(text: str) -> list[Turn]:
    """Return the turns of a text in the form of HH-RLHF, "Human: …" and "Assistant: …" in turn; [] for another text."""
    if not text.startswith("Human:"):
        return []
    _, *parts = _SPEAKER.split(text)
    roles = ({"Human": "user", "Assistant": "assistant"}[name] for name in parts[::2])
    return [Turn(role, said.strip()) for role, said in zip(roles, parts[1::2], strict=True)]


def _request_turns(values: Values, request: Sequence[str]) -> list[Turn]:
    """Return the turns before an answer: system text, earlier turns, and the request, which may be a chat."""
    found = [(known_turns(values[column], column), values[column]) for column in request]
    chats = [turns for turns, _ in found if turns]
    text = join(plain_text(value) for turns, value in found if not turns)
    turns = [turn for chat in chats for turn in chat] + ([Turn("user", text)] if text else [])
    history = known_turns(values[HISTORY], HISTORY, True) if values.get(HISTORY) else None
    system = next((text for column in SYSTEM if (text := plain_text(values.get(column)))), "")
    before = [Turn("system", system)] if system and not any(turn.role == "system" for turn in turns) else []
    return [*before, *(history or ()), *turns]


def _thinking_in(values: Values, columns: Sequence[str]) -> str:
    """Return the reasoning in a field of the last message of the columns that is an answer, "" if there is none."""
    messages = [message for column in columns if isinstance(values[column], list) for message in values[column]]
    answers = [each for each in messages if isinstance(each, Mapping) and known_turns([each], "messages")]
    last = next((each for each in reversed(answers) if _last_answer(known_turns([each], "messages") or ()) == 0), {})
    return next((text for name in THINKINGS if (text := plain_text(last.get(name)))), "")


def _last_answer(turns: Sequence[Turn]) -> int | None:
    places = (place for place in reversed(range(len(turns))) if turns[place].role == "assistant" and turns[place].text)
    return next(places, None)


def _messages(turns: Sequence[Turn]) -> list[Message]:
    return [{"role": turn.role, "content": turn.text} for turn in turns if turn.text]


def _label(value: object, column: str) -> bool:
    label = _TRUE_FALSE.get(str(value).strip().lower().removesuffix(".0"))
    if label is None:
        raise ConfigError(f"column {column!r}: expected true or false, found {str(value)[:20]}")
    return label
