"""Read a chat completion without trust: reasoning apart from the answer, fields in their many spellings."""

import re
from typing import Any

from skillmill.teachers.base import Reply, TransientError

_LENGTH = {"length", "max_tokens", "max_length", "model_length"}
_GAVE_UP = {"error", "abort", "aborted"}
_THINKING = re.compile(r"\s*<think>(.*?)(?:</think>|\Z)", re.DOTALL)


def read_completion(answer: Any) -> Reply:
    """The first choice of a parsed reply. Raises `TransientError` for what is no chat completion."""
    try:
        choice = answer["choices"][0]
        message, usage = choice["message"], answer.get("usage") or {}
        finish_reason = normal_finish_reason(choice.get("finish_reason"))
        text, thinking = _text_and_thinking(message)
        return Reply(
            text=text,
            finish_reason=finish_reason,
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or 0),
            cached_tokens=int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0),
            thinking=thinking,
            thinking_tokens=int((usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0),
        )
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise TransientError("the server's answer is not a chat completion") from None


def normal_finish_reason(said: Any) -> str:
    """ "length" or "stop"; "content_filter" stays what it is. Raises `TransientError` where the server gave up half way."""
    if said in _GAVE_UP:
        raise TransientError(f"the server gave up in the middle of its answer (finish_reason {said})")
    if said in _LENGTH:
        return "length"
    return "content_filter" if said == "content_filter" else "stop"


def _text_and_thinking(message: dict[str, Any]) -> tuple[str, str]:
    content, beside = message.get("content"), message.get("reasoning_content") or message.get("reasoning") or ""
    if isinstance(content, list):  # parts, as Mistral and Anthropic-like servers send them
        beside = "".join(_part(each.get("thinking")) for each in content if each.get("type") == "thinking") or beside
        content = "".join(_part(each.get("text")) for each in content if each.get("type") == "text")
    text = content or message.get("refusal") or ""
    if not isinstance(text, str) or not isinstance(beside, str):
        raise TypeError("text expected")
    return (text, beside) if beside else split_thinking(text)


def _part(value: Any) -> str:
    return "".join(_part(each.get("text")) for each in value) if isinstance(value, list) else value or ""


def split_thinking(text: str) -> tuple[str, str]:
    """(answer, thinking) of a text that may begin with `<think>…</think>`.

    A thought that was never closed has no answer after it. Some servers cut the opening tag: then all before a
    lone closing one is thinking.
    """
    if opened := _THINKING.match(text):
        return text[opened.end() :].lstrip(), opened[1].strip()
    before, closed, after = text.partition("</think>")
    if closed and "<think>" not in before:
        return after.lstrip(), before.strip()
    return text, ""
