"""The error message in the body of a failed HTTP request, in the shapes that chat servers use."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.surrogates import without_surrogates
from skillmill.teachers.engines.chat_api.tolerant_json import read_json

_HTML = lazy_pattern(r"\s*<(?:!doctype|html|head|body|\?xml)\b", re.IGNORECASE)
_MARKUP = lazy_pattern(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """A server's error message.

    `field` is the request parameter that the body names separately, or "". `headers` are those of a provider behind a
    router, which OpenRouter puts into the body.
    """

    text: str
    field: str = ""
    headers: Mapping[str, str] = dataclass_field(default_factory=dict, compare=False)

    @property
    def searchable(self) -> str:
        """Text and field together."""
        return f"{self.text} {self.field}"


def read_error_message(content: bytes) -> ErrorMessage:
    """Return the message in an error body; the text of the whole body if it has none of the known shapes."""
    message = _message_in(content)
    return ErrorMessage(without_surrogates(message.text)[0], without_surrogates(message.field)[0], message.headers)


def _message_in(content: bytes) -> ErrorMessage:
    try:
        body = read_json(content)
    except ValueError:
        return ErrorMessage(_without_markup(content.decode("utf-8", "replace")))
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return ErrorMessage(str(error))
    if isinstance(details := error.get("detail"), list):  # FastAPI; `input` is left out because it holds the prompt
        return ErrorMessage("; ".join(_validation_error(each) for each in details))
    message = error.get("message") or error.get("detail") or error.get("msg") or content.decode("utf-8", "replace")
    metadata = error.get("metadata")
    provider: dict[str, Any] = metadata if isinstance(metadata, dict) else {}  # behind OpenRouter
    raw, headers = provider.get("raw"), provider.get("headers")
    kinds = [str(error[key]) for key in ("code", "type") if isinstance(error.get(key), str) and error[key]]
    text = " ".join([str(message), *([str(raw)] if raw else []), *([f"({', '.join(kinds)})"] if kinds else [])])
    texts = {name: str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
    return ErrorMessage(text, error["param"] if isinstance(error.get("param"), str) else "", texts)


def _without_markup(text: str) -> str:
    """Return the words of an HTML page, and any other text unchanged."""
    return html.unescape(_MARKUP.sub(" ", text)).strip() if _HTML.match(text) else text


def _validation_error(detail: object) -> str:
    if not isinstance(detail, dict):
        return str(detail)
    location = detail.get("loc")
    field = ".".join(map(str, location)) if isinstance(location, list) else ""
    return f"{field}: {detail.get('msg', '')} ({detail.get('type', '')})"
