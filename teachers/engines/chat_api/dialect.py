"""What a server understands of the chat API, learned from what it refuses.

Servers that call themselves OpenAI-compatible differ in structured output and in the sampling fields they take.
A request starts in the full dialect; a refusal that names a field leads to a smaller one. Everything here is a
function of values: `openai.py` asks, and remembers the dialect in which it was answered.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import orjson

from skillmill.data.records import Message
from skillmill.teachers.base import Request

STRING_CONSTRAINTS = {"pattern", "minLength", "maxLength", "format"}


class Structure(IntEnum):
    """How a schema is asked for; each costs some of the hold on the reply that the one before has."""

    SCHEMA = 0
    LOOSE_SCHEMA = 1
    OBJECT = 2
    WORDS = 3


_IN_WORDS = {
    Structure.LOOSE_SCHEMA: "schemas are sent without limits on strings",
    Structure.OBJECT: "replies are asked for as some JSON object, with the schema in words",
    Structure.WORDS: "schemas are sent in words",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """The part of the chat API that a server takes. `a | b` gives up whatever one of them gives up."""

    structure: Structure = Structure.SCHEMA
    dropped: frozenset[str] = frozenset()
    completion_tokens: bool = False
    """`max_completion_tokens` in place of `max_tokens`."""

    def __or__(self, other: "Dialect") -> "Dialect":
        return Dialect(
            max(self.structure, other.structure),
            self.dropped | other.dropped,
            self.completion_tokens or other.completion_tokens,
        )

    def given_up(self, since: "Dialect") -> str:
        """What this dialect lacks and `since` had, for people."""
        parts = [f"{name} is not sent" for name in sorted(self.dropped - since.dropped)]
        if self.completion_tokens and not since.completion_tokens:
            parts.append("max_tokens is sent as max_completion_tokens")
        if self.structure > since.structure:
            parts.append(_IN_WORDS[self.structure])
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A server's words for what it does not take. `field` is the parameter it names by itself, if it does."""

    text: str
    field: str = ""


def read_refusal(content: bytes) -> Refusal:
    """The words of an error body, whichever of the usual shapes it has; the whole body where it has none."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return Refusal(content.decode("utf-8", "replace"))
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return Refusal(str(error))
    if isinstance(detail := error.get("detail"), list):  # FastAPI; `input` is left out, it holds the prompt
        return Refusal("; ".join(_validation(each) for each in detail))
    found = error.get("message") or error.get("detail") or error.get("msg") or content.decode("utf-8", "replace")
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None  # OpenRouter: the provider's own words
    kinds = [str(error[key]) for key in ("code", "type") if isinstance(error.get(key), str) and error[key]]
    text = " ".join([str(found), *([str(raw)] if raw else []), *([f"({', '.join(kinds)})"] if kinds else [])])
    return Refusal(text, error["param"] if isinstance(error.get("param"), str) else "")


def _validation(each: Any) -> str:
    if not isinstance(each, dict):
        return str(each)
    where = each.get("loc")
    place = ".".join(map(str, where)) if isinstance(where, list) else ""
    return f"{place}: {each.get('msg', '')} ({each.get('type', '')})"


def request_body(model: str, request: Request, extra: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """The body of a chat completion. `extra`, the user's own fields, win over ours."""
    fields = {**request.sampling.model_dump(), "seed": request.seed}
    if dialect.completion_tokens:
        fields["max_completion_tokens"] = fields.pop("max_tokens")
    for name in dialect.dropped:
        fields.pop(name, None)
    body = {"model": model, "messages": request.messages, **fields}
    if (schema := request.json_schema) is not None:
        if dialect.structure == Structure.LOOSE_SCHEMA:
            schema = without_string_constraints(schema)
        if dialect.structure >= Structure.OBJECT:
            body["messages"] = _with_schema_in_words(request.messages, schema)
        if dialect.structure == Structure.OBJECT:
            body["response_format"] = {"type": "json_object"}
        elif dialect.structure < Structure.OBJECT:
            named = {"name": "answer", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
    return body | extra


def _with_schema_in_words(messages: list[Message], schema: dict[str, Any]) -> list[Message]:
    words = "Reply with one JSON object and no other text. It has to fit this JSON schema:"
    content = f"{messages[-1]['content']}\n\n{words}\n{orjson.dumps(schema).decode()}"
    return [*messages[:-1], {**messages[-1], "content": content}]


def without_string_constraints(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without `STRING_CONSTRAINTS`, at every depth; properties of such names stay."""
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in STRING_CONSTRAINTS:
            continue
        if key in ("properties", "$defs", "definitions") and isinstance(value, dict):
            found[key] = {name: _inner(each) for name, each in value.items()}
        elif key in ("items", "additionalProperties"):
            found[key] = _inner(value)
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems") and isinstance(value, list):
            found[key] = [_inner(each) for each in value]
        else:
            found[key] = value
    return found


def _inner(schema: Any) -> Any:
    return without_string_constraints(schema) if isinstance(schema, dict) else schema


_STRUCTURED = re.compile(
    r"response_format|json_schema|json_object|structured.?output|guided|grammar|schema|regex|"
    r"\bpattern\b|minLength|maxLength",
    re.IGNORECASE,
)
_KEYWORD = re.compile(r"\bpattern\b|m(?:in|ax)_?Length|grammar|regex|keyword", re.IGNORECASE)
_NOT_TAKEN = re.compile(
    r"unsupported|not support|n't support|unrecogni|unknown|unexpected|not permitted|not allowed|forbidden|"
    r"unavailable|not available|not accept|deprecated|only the default|cannot both|not implemented|"
    r"extra_forbidden|invalid (?:field|parameter|argument|key)",
    re.IGNORECASE,
)


def learned(dialect: Dialect, request: Request, extra: dict[str, Any], refusal: Refusal) -> Dialect | None:
    """The next smaller dialect that the refusal of a request in `dialect` asks for, None where it asks for none.

    Each is strictly smaller than `dialect`, so asking again until this is None comes to an end.
    """
    text = f"{refusal.text} {refusal.field}"
    sent = request.sampling.model_dump().keys() - dialect.dropped - extra.keys()
    if "max_completion_tokens" in text and not dialect.completion_tokens and "max_tokens" in sent:
        return dialect | Dialect(completion_tokens=True)
    if _NOT_TAKEN.search(text):
        named = [name for name in ({"seed"} | sent) - dialect.dropped - {"max_tokens"} if _names(name, refusal)]
        if named:  # one at a time, temperature last: of two that exclude each other, it is the one to keep
            return dialect | Dialect(dropped=frozenset([min(named, key=lambda name: (name == "temperature", name))]))
    asked = request.json_schema is not None and "response_format" not in extra
    if asked and _STRUCTURED.search(text):
        return less_structured(dialect, request, loosely=_KEYWORD.search(text) is not None)
    return None


def less_structured(dialect: Dialect, request: Request, loosely: bool = True) -> Dialect | None:
    """The dialect with the next smaller form of structured output, None where there is none.

    `loosely`: limits on strings may be the cause, so the schema without them is worth a try.
    """
    if dialect.structure == Structure.WORDS:
        return None
    schema = request.json_schema or {}
    if loosely and dialect.structure == Structure.SCHEMA and without_string_constraints(schema) != schema:
        return dialect | Dialect(Structure.LOOSE_SCHEMA)
    return dialect | Dialect(Structure(max(Structure.OBJECT, dialect.structure + 1)))


def _names(field: str, refusal: Refusal) -> bool:
    return field == refusal.field or re.search(rf"(?<!\w){re.escape(field)}(?!\w)", refusal.text) is not None
