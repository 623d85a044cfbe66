"""The part of the chat API that a server supports, learned from its error messages.

Servers that call themselves OpenAI-compatible differ in structured output and in the sampling fields they take. The
first request uses the full API; an error message that names a field leads to a smaller dialect. All functions here are
pure: `openai.py` sends the requests and stores the dialect that the server accepted.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

import orjson

from skillmill.data.records import Message
from skillmill.teachers.base import Request
from skillmill.teachers.engines.chat_api.error_message import ErrorMessage
from skillmill.teachers.engines.system_role import has_system_role, refuses_system_role, without_system_role

STRING_CONSTRAINTS = {"pattern", "minLength", "maxLength", "format"}
"""The JSON schema keywords that some servers' grammar compilers do not support."""


_NAMED_SCHEMAS = ("properties", "$defs", "definitions")
"""The JSON schema keywords whose value is a mapping of names to schemas."""


class Structure(IntEnum):
    """How a request states its JSON schema. A higher value means that the server enforces the reply's form less."""

    SCHEMA = 0
    LOOSE_SCHEMA = 1
    OBJECT = 2
    WORDS = 3


_DESCRIPTIONS = {
    Structure.LOOSE_SCHEMA: "schemas are sent without limits on strings",
    Structure.OBJECT: "replies are asked for as some JSON object, with the schema in words",
    Structure.WORDS: "schemas are sent in words",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server supports. `a | b` is the dialect that only has what both support.

    `dropped` are sampling fields that are not sent; with `completion_tokens`, `max_tokens` is sent as
    `max_completion_tokens`; with `system_in_user`, the system message is sent in the user's first turn.
    """

    structure: Structure = Structure.SCHEMA
    dropped: frozenset[str] = frozenset()
    completion_tokens: bool = False
    system_in_user: bool = False

    def __or__(self, other: "Dialect") -> "Dialect":
        return Dialect(
            max(self.structure, other.structure),
            self.dropped | other.dropped,
            self.completion_tokens or other.completion_tokens,
            self.system_in_user or other.system_in_user,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the dialect as plain data, which `of` reads."""
        return {**asdict(self), "dropped": sorted(self.dropped)}

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Dialect":
        """Return the dialect that `as_dict` wrote."""
        structure, dropped = Structure(values["structure"]), frozenset(values["dropped"])
        return cls(structure, dropped, values["completion_tokens"], values["system_in_user"])

    def missing_from(self, larger: "Dialect") -> str:
        """Describe for a user what `larger` has and this dialect does not have."""
        parts = [f"{name} is not sent" for name in sorted(self.dropped - larger.dropped)]
        if self.completion_tokens and not larger.completion_tokens:
            parts.append("max_tokens is sent as max_completion_tokens")
        if self.system_in_user and not larger.system_in_user:
            parts.append("the system message is sent in the user's turn")
        if self.structure > larger.structure:
            parts.append(_DESCRIPTIONS[self.structure])
        return "; ".join(parts)


def abilities(request: Request, dialect: Dialect, extra: dict[str, Any]) -> frozenset[str]:
    """Return what a request in this dialect asks of the server: fields, roles, forms of structured output.

    A server that has answered such a request has all of them. A constraint on strings counts with its value, since a
    grammar compiler may take one pattern and not another.
    """
    fields, schema = frozenset(request.sampling.parameters), orjson.dumps(request.json_schema)
    return _abilities(fields, has_system_role(request.messages), schema, dialect) - extra.keys()


@lru_cache(256)  # the requests of a run differ in few of these ways
def _abilities(fields: frozenset[str], system_role: bool, json_schema: bytes, dialect: Dialect) -> frozenset[str]:
    asked = {*fields, "seed"} - dialect.dropped
    if dialect.completion_tokens:
        asked.discard("max_tokens")
    if system_role and not dialect.system_in_user:
        asked.add("system role")
    schema = orjson.loads(json_schema)
    if schema is not None and dialect.structure == Structure.OBJECT:
        asked.add("json_object")
    elif schema is not None and dialect.structure < Structure.OBJECT:
        if dialect.structure == Structure.LOOSE_SCHEMA:
            schema = without_string_constraints(schema)
        asked |= {"json_schema", *_keywords(schema)}
    return frozenset(asked)


def _keywords(schema: Any) -> Iterator[str]:
    """Yield the keywords of a JSON schema at any depth, constraints on strings with their values."""
    for key, value in schema.items() if isinstance(schema, dict) else ():
        yield f"{key} {value}" if key in STRING_CONSTRAINTS else key
        if key in _NAMED_SCHEMAS and isinstance(value, dict):
            for each in value.values():
                yield from _keywords(each)
        else:
            for each in value if isinstance(value, list) else [value]:
                yield from _keywords(each)


def request_body(model: str, request: Request, extra: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Return the body of a chat completion. Fields of `extra`, from the configuration, replace the request's fields."""
    fields = {**request.sampling.parameters, "seed": request.seed}
    if dialect.completion_tokens:
        fields["max_completion_tokens"] = fields.pop("max_tokens")
    for name in dialect.dropped:
        fields.pop(name, None)
    messages = without_system_role(request.messages) if dialect.system_in_user else request.messages
    body = {"model": model, "messages": messages, **fields}
    if (schema := request.json_schema) is not None:
        if dialect.structure == Structure.LOOSE_SCHEMA:
            schema = without_string_constraints(schema)
        if dialect.structure >= Structure.OBJECT:
            body["messages"] = _with_schema_in_words(messages, schema)
        if dialect.structure == Structure.OBJECT:
            body["response_format"] = {"type": "json_object"}
        elif dialect.structure < Structure.OBJECT:
            named_schema = {"name": "answer", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named_schema}
    return body | extra


def _with_schema_in_words(messages: list[Message], schema: dict[str, Any]) -> list[Message]:
    words = "Reply with one JSON object and no other text. It has to fit this JSON schema:"
    content = f"{messages[-1]['content']}\n\n{words}\n{orjson.dumps(schema).decode()}"
    return [*messages[:-1], {**messages[-1], "content": content}]


def without_string_constraints(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema without `STRING_CONSTRAINTS` at any depth; properties with such names are kept."""
    loose: dict[str, Any] = {}
    for key, value in schema.items():
        if key in STRING_CONSTRAINTS:
            continue
        if key in _NAMED_SCHEMAS and isinstance(value, dict):
            loose[key] = {name: _loose_subschema(each) for name, each in value.items()}
        elif key in ("items", "additionalProperties"):
            loose[key] = _loose_subschema(value)
        elif key in ("anyOf", "oneOf", "allOf", "prefixItems") and isinstance(value, list):
            loose[key] = [_loose_subschema(each) for each in value]
        else:
            loose[key] = value
    return loose


def _loose_subschema(schema: Any) -> Any:
    return without_string_constraints(schema) if isinstance(schema, dict) else schema


_STRUCTURED_OUTPUT = re.compile(
    r"response_format|json_schema|json_object|structured.?output|guided|grammar|schema|regex|"
    r"\bpattern\b|minLength|maxLength",
    re.IGNORECASE,
)
_SCHEMA_KEYWORD = re.compile(r"\bpattern\b|m(?:in|ax)_?Length|grammar|regex|keyword", re.IGNORECASE)
_UNSUPPORTED = re.compile(
    r"unsupported|not support|n't support|unrecogni|unknown|unexpected|not permitted|not allowed|forbidden|"
    r"unavailable|not available|not accept|deprecated|only the default|cannot both|not implemented|"
    r"extra_forbidden|invalid (?:field|parameter|argument|key)",
    re.IGNORECASE,
)


def smaller_dialect(dialect: Dialect, request: Request, extra: dict[str, Any], message: ErrorMessage) -> Dialect | None:
    """Return the next smaller dialect after the server rejected `request` in `dialect` with `message`.

    Returns None if the message names nothing that can be left out. Each result is strictly smaller than `dialect`, so
    repeated requests come to an end.
    """
    if (without_system := dialect_without_system(dialect, request, message)) is not None:
        return without_system
    text = message.searchable
    sent = request.sampling.parameters.keys() - dialect.dropped - extra.keys()
    if "max_completion_tokens" in text and not dialect.completion_tokens and "max_tokens" in sent:
        return dialect | Dialect(completion_tokens=True)
    if _UNSUPPORTED.search(text):
        named = [name for name in ({"seed"} | sent) - dialect.dropped - {"max_tokens"} if _names(message, name)]
        if named:  # one at a time, temperature last: of two fields that exclude each other, temperature is kept
            return dialect | Dialect(dropped=frozenset([min(named, key=lambda name: (name == "temperature", name))]))
    has_schema = request.json_schema is not None and "response_format" not in extra
    if has_schema and _STRUCTURED_OUTPUT.search(text):
        return less_structured(dialect, request, try_loose=_SCHEMA_KEYWORD.search(text) is not None)
    return None


def dialect_without_system(dialect: Dialect, request: Request, message: ErrorMessage) -> Dialect | None:
    """Return the dialect without a system role if `message` says that the server has none, else None."""
    if dialect.system_in_user or not has_system_role(request.messages) or not refuses_system_role(message.searchable):
        return None
    return dialect | Dialect(system_in_user=True)


def less_structured(dialect: Dialect, request: Request, try_loose: bool = True) -> Dialect | None:
    """Return the dialect with the next less strict `Structure`, None if there is none.

    `try_loose`: limits on strings may be the cause, so the schema without them is the next step.
    """
    if dialect.structure == Structure.WORDS:
        return None
    schema = request.json_schema or {}
    if try_loose and dialect.structure == Structure.SCHEMA and without_string_constraints(schema) != schema:
        return dialect | Dialect(Structure.LOOSE_SCHEMA)
    return dialect | Dialect(Structure(max(Structure.OBJECT, dialect.structure + 1)))


def _names(message: ErrorMessage, field: str) -> bool:
    return field == message.field or re.search(rf"(?<!\w){re.escape(field)}(?!\w)", message.text) is not None
