"""Chat templates without a system role (Gemma, many base models): the system message moves into the user's turn."""

import re

from skillmill.data.records import Message
from skillmill.data.text.lazy_patterns import lazy_pattern

_REFUSED = lazy_pattern(
    r"""system.?(?:role|message|prompt|instruction|turn)s?\b.{0,60}(?:\bnot?\b|n['’]t\b|unsupport|invalid|unknown|only)
    | (?:\bnot?\b|n['’]t\b|unsupport\w*|invalid|unknown|unexpected|only)\b.{0,60}
      (?:system.?(?:role|message|prompt|instruction|turn)|\brole\b.{0,20}\bsystem\b|\bsystem\b\W{0,3}role)
    | \brole\b\W{0,20}system\b.{0,60}(?:\bnot?\b|n['’]t\b|unsupport|invalid|unknown|only)
    | \brole\b.{0,60}\bsystem\b.{0,60}(?:\bnot?\b|n['’]t\b|unsupport|invalid|unknown)
    | developer.instruction
    | roles?\ must\ alternate
    | only\ ['"`]?user['"`]?(?:,|\ and\b|\ or\b).{0,30}roles?
    | \brole\b.{0,80}should\ be\ ['"`]user
    | messages?\W{0,3}\d+\W{1,3}role\b
    | jinja | chat.?template | raise_exception""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def refuses_system_role(text: str) -> bool:
    """Return whether an error message may mean that the chat template has no system role."""
    return _REFUSED.search(text) is not None


def has_system_role(messages: list[Message]) -> bool:
    """Return whether a message has the role "system"."""
    return any(message["role"] == "system" for message in messages)


def without_system_role(messages: list[Message]) -> list[Message]:
    """Return the messages with the text of each system message at the beginning of the user's next turn."""
    moved: list[Message] = []
    before: list[str] = []
    for message in messages:
        if message["role"] == "system":
            before.append(message["content"])
        elif message["role"] == "user" and before:
            moved.append({**message, "content": "\n\n".join([*before, message["content"]])})
            before = []
        else:
            moved.append(message)
    return [*moved, {"role": "user", "content": "\n\n".join(before)}] if before else moved
