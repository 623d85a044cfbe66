"""Requests and answers in the rows of chat and instruction datasets, in every known layout.

A chat is a list of turns: mappings such as {role, content}, {from, value} or {user, assistant}, pairs (user, assistant)
or (role, text), or texts in turn. It may be JSON text, or the text that Python prints for the list.
"""

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.datasets import plain_text

CHATS = ("messages", "conversations", "conversation")
REQUESTS = ("prompt", "instruction", "question", "problem", "query", "text")
ANSWERS = ("completion", "output", "response", "answer", "solution", "chosen", "instances")
"""Column names that are recognised as chats, requests and answers, in order of preference. The column `input` is added
to a request in the column `instruction`."""

ROLES = {
    "user": "user human prompter 用户 用戶 人类 人類 ユーザー 사용자 usuario utilisateur benutzer пользователь",
    "assistant": "assistant gpt bot chatbot model ai chatgpt 助手 助理 アシスタント 어시스턴트 asistente assistent "
    "ассистент",
    "system": "system developer 系统 系統 システム 시스템 sistema système система",
    "tool": "tool function observation ipython environment tool_call tool_response function_call function_response "
    "function-call tool-call 工具",
}
"""The names of roles in datasets, by the role that they mean."""
_ROLE_OF = {name: role for role, names in ROLES.items() for name in names.split()}
_ROLE_KEYS = ("role", "from", "speaker")
_TEXT_KEYS = ("content", "value", "text", "message")
_MESSAGE_COLUMNS = (*CHATS, "prompt", "completion", "chosen", "rejected")
"""Columns in which JSON text is a chat."""


class Turn(NamedTuple):
    """One turn of a chat. `role` is a key of `ROLES`, or the unknown role of the dataset."""

    role: str
    text: str


class Chat(NamedTuple):
    """A chat as a request and its answers, "" where there is none."""

    instruction: str
    """The first turn of the user. Turns before it, such as a system text, are left out."""
    response: str
    """The answer to the instruction: the first text of the assistant before the next turn of the user."""
    rest: str
    """All turns after the instruction, separated by blank lines."""
    further: int = 0
    """The number of turns after the response."""


class Pair(NamedTuple):
    """A request and its answer. `further`: the number of turns of the chat after the answer, which are left out."""

    request: str
    answer: str
    further: int = 0


@dataclass(frozen=True)
class Layout:
    """The columns with requests and those with answers; without the latter, the requests are whole chats."""

    requests: tuple[str, ...]
    answers: tuple[str, ...] = ()


def find_layout(names: Sequence[str]) -> Layout | None:
    """Return the layout of a table with these columns, None if it is not known."""
    if chat := next((column for column in CHATS if column in names), None):
        return Layout((chat,))
    answers = tuple(column for column in ANSWERS if column in names)[:1]
    request = next((column for column in REQUESTS if column in names), None)
    if request is None:  # preference pairs with the request in both chats
        return Layout(("chosen",)) if "chosen" in names else None
    return Layout((request, "input") if request == "instruction" and "input" in names else (request,), answers)


def read_chat(value: object, column: str, is_chat: bool = False) -> Chat | None:
    """Return the chat in a cell of a column, None if the cell holds none.

    A column whose name says so, or `is_chat`, may hold texts in turn. Raises `ConfigError` with the column and the
    roles if a role is unknown, or if a column of chats holds another list.
    """
    turns = known_turns(value, column, is_chat)
    if turns is None:
        return None
    first = next((place for place, turn in enumerate(turns) if turn.role == "user"), len(turns))
    instruction = turns[first].text if first < len(turns) else ""
    if not turns:
        return Chat("", "", "")
    later = range(first + 1, len(turns))
    end = next((place for place in later if turns[place].role == "user"), len(turns))
    places = later[: end - first - 1] if first < len(turns) else range(len(turns))
    answer = next((place for place in places if turns[place].role == "assistant" and turns[place].text), end - 1)
    response = turns[answer].text if turns[answer].role == "assistant" else ""
    further = len(turns) - answer - 1
    return Chat(instruction, response, "\n\n".join(turn.text for turn in turns[first + 1 :] if turn.text), further)


def known_turns(value: object, column: str, is_chat: bool = False) -> list[Turn] | None:
    """Return the turns of a chat in a cell of a column, None if the cell holds no chat.

    Raises `ConfigError` as `read_chat` does.
    """
    turns = read_turns(value, column, is_chat)
    if turns is None:
        text = value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        if column in CHATS and text.startswith(("[", "{")) and text not in ("[]", "{}"):
            raise ConfigError(f"column {column!r}: expected a list of turns with a role and a text, found {text[:60]}")
        return None
    if unknown := list(dict.fromkeys(turn.role for turn in turns if turn.role not in ROLES)):
        found = ", ".join(dict.fromkeys(turn.role for turn in turns))
        raise ConfigError(
            f"column {column!r}: a chat with the unknown roles {', '.join(unknown)} (of {found}); "
            f"expected user and assistant, or other names for them"
        )
    return turns


def read_turns(value: object, column: str, is_chat: bool = False) -> list[Turn] | None:
    """Return the turns of a chat in a cell of a column, None if the cell holds no chat; see `read_chat`."""
    is_chat = is_chat or column in CHATS
    if isinstance(value, str):
        parsed = _parsed(value)
        turns = read_turns(parsed, column, is_chat) if parsed is not None else None
        is_sure = is_chat or column in _MESSAGE_COLUMNS
        return turns if turns and (is_sure or _has_roles(parsed, turns)) else None
    if isinstance(value, Mapping):
        inner = next((value[key] for key in CHATS if value.get(key) is not None), None)
        return read_turns(inner, column, True) if inner is not None else None
    if not isinstance(value, list | tuple) or not value:
        return None
    if all(isinstance(item, Mapping) for item in value):
        found = [_message_turns(item) for item in value]
        return None if None in found else [turn for turns in found for turn in turns or []]
    if all(isinstance(item, list | tuple) and len(item) == 2 for item in value):
        pairs = [(plain_text(one), plain_text(other)) for one, other in value]
        if all(one.lower() in _ROLE_OF for one, _ in pairs):
            return [Turn(_ROLE_OF[one.lower()], other) for one, other in pairs]
        if not all(isinstance(text, str | None) for item in value for text in item):
            return None
        return [turn for one, other in pairs for turn in (Turn("user", one), Turn("assistant", other)) if turn.text]
    if is_chat and all(isinstance(item, str) for item in value):
        return [Turn(("user", "assistant")[place % 2], plain_text(text)) for place, text in enumerate(value)]
    return None


def read_pair(values: Mapping[str, Any], layout: Layout) -> Pair:
    """Return the first request in a row and the answer to it. Raises `ConfigError` as `read_chat` does.

    If the column of requests has a chat with answers of its own, its first answer is taken, and the column of answers
    continues the chat.
    """
    whole = not layout.answers
    requests = [(read_chat(values[column], column, whole), values[column]) for column in layout.requests]
    request = join(chat.instruction if chat else plain_text(value) for chat, value in requests)
    answers = [(read_chat(values[column], column), values[column]) for column in layout.answers]
    answer = join(chat.response for chat, _ in requests if chat)
    further = sum(chat.further for chat, _ in requests if chat)
    if whole:
        return Pair(request, answer, further)
    given = join(chat.response if chat else plain_text(value) for chat, value in answers)
    if answer:
        return Pair(request, answer, further + bool(given))
    return Pair(request, given, sum(chat.further for chat, _ in answers if chat))


def join(texts: Iterable[str]) -> str:
    """Return the texts that are not empty, separated by blank lines."""
    return "\n\n".join(filter(None, texts))


def _message_turns(message: Mapping[Any, Any]) -> list[Turn] | None:
    """Return the turn of a message, or the turns of a mapping from roles to texts; None for any other mapping."""
    role = next((message[key] for key in _ROLE_KEYS if isinstance(message.get(key), str)), None)
    if role is not None:
        role = role.strip()
        content = next((message[key] for key in _TEXT_KEYS if message.get(key) is not None), None)
        return [Turn(_ROLE_OF.get(role.lower(), role), plain_text(content))]
    texts = {_ROLE_OF.get(str(key).lower(), ""): text for key, text in message.items() if text is not None}
    if not {"user", "assistant"} <= texts.keys():
        return None
    return [Turn(role, plain_text(texts[role])) for role in ("system", "user", "assistant") if role in texts]


def _has_roles(value: object, turns: Sequence[Turn]) -> bool:
    """Return whether a parsed text names roles, all known and one of them the user's, so that it can only be a chat."""
    roles = {turn.role for turn in turns}
    named = isinstance(value, Mapping) or (isinstance(value, list) and isinstance(value[0], Mapping))
    return named and "user" in roles and roles <= set(ROLES)


def _parsed(text: str) -> object:
    """Return the list or mapping that a text holds as JSON or as Python prints it, None if it holds none."""
    text = text.strip()
    if not (text.startswith(("[", "{")) and text.endswith(("]", "}"))):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            parsed: object = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return parsed
    return None
