"""The tokens of one request: as the server counts them, or estimated from the texts if it does not.

Servers leave `usage` out, send zeros or null, or only the total. A budget and prices need numbers all the same.
"""

import math
from dataclasses import dataclass
from typing import Any

from skillmill.teachers.base import Request

BYTES_PER_TOKEN = 4
"""UTF-8 bytes of text a token: four letters of English, two of Russian, one and a third of Chinese."""


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Token counts of one request. `estimated`: the server does not report all of them."""

    prompt: int
    completion: int
    cached: int
    thinking: int
    estimated: bool


def read_token_counts(usage: Any, request: Request, text: str, thinking: str, finish_reason: str) -> TokenCounts:
    """Return the counts in a server's `usage`; those that are missing, 0 or unreadable are estimated from the texts.

    If `total_tokens` is more than the sum of the other counts, the rest is part of the completion: some servers
    (Gemini, Grok) count reasoning in the total alone. A reply that reached the token limit has `max_tokens` tokens.
    """
    prompt, completion = (
        _count(usage, "prompt_tokens", "input_tokens"),
        _count(usage, "completion_tokens", "output_tokens"),
    )
    whole = _count(usage, "total_tokens")
    thinking_tokens = _count(_part(usage, "completion_tokens_details"), "reasoning_tokens")
    cached = _count(_part(usage, "prompt_tokens_details"), "cached_tokens")
    cached = cached or _count(usage, "prompt_cache_hit_tokens", "cached_tokens")  # DeepSeek, Moonshot
    estimated = False
    if not prompt and whole > completion > 0:
        prompt = whole - completion
    elif not prompt:
        prompt, estimated = sum(estimated_tokens(message["content"]) for message in request.messages), True
        prompt = min(prompt, max(1, whole - estimated_tokens(text + thinking))) if whole else prompt
    if whole > prompt:
        completion = max(completion, whole - prompt)
    elif not completion and (text or thinking or finish_reason == "length"):
        completion, estimated = estimated_tokens(text) + estimated_tokens(thinking), True
        completion = max(completion, request.sampling.max_tokens) if finish_reason == "length" else completion
        thinking_tokens = thinking_tokens or estimated_tokens(thinking)
    return TokenCounts(prompt, completion, min(cached, prompt), min(thinking_tokens, completion), estimated)


def estimated_tokens(text: str) -> int:
    """Return the number of tokens of a text, estimated from its length in UTF-8."""
    return math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


def _part(usage: Any, name: str) -> Any:
    return usage.get(name) if isinstance(usage, dict) else None


def _count(values: Any, *names: str) -> int:
    """Return the first positive number under one of the names, which may be a string; 0 if there is none."""
    for name in names:
        value = _part(values, name)
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            try:
                number = int(float(value))
            except (ValueError, OverflowError):  # not a number, infinite
                continue
            if number > 0:
                return number
    return 0
