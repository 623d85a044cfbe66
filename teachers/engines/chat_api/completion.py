"""Read a chat completion from any server: its text, its thinking and its token counts."""

from typing import Any

from skillmill.teachers.base import Reply, Request, TransientError
from skillmill.teachers.engines.chat_api.token_counts import read_token_counts
from skillmill.teachers.reasoning import separate_reasoning

_LENGTH_REASONS = {"length", "max_tokens", "max_length", "model_length"}
_FAILURE_REASONS = {"error", "abort", "aborted"}


def read_completion(completion: Any, request: Request) -> Reply:
    """Return the first choice of a parsed completion. Raises `TransientError` if it is not a chat completion.

    Token counts that the server does not report are estimated.
    """
    try:
        choice = completion["choices"][0]
        finish_reason = normal_finish_reason(choice.get("finish_reason"))
        text, thinking = _text_and_thinking(choice["message"])
        counts = read_token_counts(completion.get("usage"), request, text, thinking, finish_reason)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise TransientError("the server's answer is not a chat completion") from None
    if thinking and not text and counts.completion >= request.sampling.max_tokens:
        finish_reason = "length"  # some servers say "stop" when the limit ends the reasoning
    return Reply(
        text=text,
        finish_reason=finish_reason,
        prompt_tokens=counts.prompt,
        completion_tokens=counts.completion,
        cached_tokens=counts.cached,
        thinking=thinking,
        thinking_tokens=counts.thinking,
        estimated=counts.estimated,
    )


def normal_finish_reason(reason: Any) -> str:
    """Return "length", "content_filter" or "stop" for a server's finish reason.

    Raises `TransientError` if the server aborted the reply.
    """
    if reason in _FAILURE_REASONS:
        raise TransientError(f"the server gave up in the middle of its answer (finish_reason {reason})")
    if reason in _LENGTH_REASONS:
        return "length"
    return "content_filter" if reason == "content_filter" else "stop"


def _text_and_thinking(message: dict[str, Any]) -> tuple[str, str]:
    content, thinking = message.get("content"), message.get("reasoning_content") or message.get("reasoning") or ""
    if isinstance(content, list):  # a list of parts, from Mistral and servers like Anthropic's
        parts = [_joined(each.get("thinking")) for each in content if each.get("type") == "thinking"]
        thinking = "".join(parts) or thinking
        content = "".join(_joined(each.get("text")) for each in content if each.get("type") == "text")
    text = content or message.get("refusal") or ""
    if not isinstance(text, str) or not isinstance(thinking, str):
        raise TypeError("text expected")
    return separate_reasoning(text, thinking)


def _joined(value: Any) -> str:
    """Return the text of a part, which is a string, a list of parts or None."""
    return "".join(_joined(each.get("text")) for each in value) if isinstance(value, list) else value or ""
