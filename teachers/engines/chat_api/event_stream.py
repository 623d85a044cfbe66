"""A completion that a server streams although none was asked for: the events of `stream: true`, joined to one body."""

import re
from collections.abc import Iterator
from typing import Any

from skillmill.teachers.engines.chat_api.tolerant_json import read_json

_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:data|event|id|retry)?:")
_BLANK_LINE = re.compile(rb"(?:\r\n|\r|\n){2,}")
_DONE = b"[DONE]"
_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
"""The fields of a delta whose parts are joined."""


def is_event_stream(content: bytes) -> bool:
    """Return whether a body is a stream of server-sent events, whatever its content type says."""
    return _START.match(content) is not None


def joined_events(content: bytes) -> dict[str, Any] | None:
    """Return the completion that the events of a stream make up, or the error among them.

    Returns None if the stream is cut: it has neither a finish reason nor `[DONE]`, or an event that is no JSON object.
    """
    whole: dict[str, Any] = {}
    message: dict[str, Any] = {}
    finish_reason, ended = None, False
    for data in _data(content):
        if data == _DONE:
            ended = True
            break
        try:
            event = read_json(data)
        except ValueError:
            return None
        if not isinstance(event, dict):
            return None
        choices = event.pop("choices", None)
        if not choices and event.get("error"):
            return event
        whole |= {key: value for key, value in event.items() if value is not None}
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict) and not choice.get("index"):
                _join(message, choice.get("delta") or choice.get("message"))
                finish_reason = choice.get("finish_reason") or finish_reason
    if finish_reason is None and not ended:
        return None
    return whole | {"choices": [{"message": message, "finish_reason": finish_reason}]}


def _join(message: dict[str, Any], delta: Any) -> None:
    for name in _TEXTS if isinstance(delta, dict) else ():
        if isinstance(part := delta.get(name), str | list):  # Mistral sends lists of parts
            message[name] = message[name] + part if isinstance(message.get(name), type(part)) else part


def _data(content: bytes) -> Iterator[bytes]:
    """Yield the data of each event. Comments and other fields are left out."""
    for block in _BLANK_LINE.split(content.removeprefix(b"\xef\xbb\xbf")):
        lines = [line[5:].strip() for line in block.splitlines() if line.startswith(b"data:")]
        if len(lines) > 1 and all(line == _DONE or line[:1] + line[-1:] == b"{}" for line in lines):
            yield from lines  # events without the blank line that belongs between them
        elif any(lines):
            yield b"\n".join(lines)
