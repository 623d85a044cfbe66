"""The error message in the body of a failed HTTP request, in the shapes that chat servers use."""

from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """A server's error message. `field` is the request parameter that the body names separately, or ""."""

    text: str
    field: str = ""

    @property
    def searchable(self) -> str:
        """Text and field together."""
        return f"{self.text} {self.field}"


def read_error_message(content: bytes) -> ErrorMessage:
    """Return the message in an error body; the text of the whole body if it has none of the known shapes."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ErrorMessage(content.decode("utf-8", "replace"))
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return ErrorMessage(str(error))
    if isinstance(details := error.get("detail"), list):  # FastAPI; `input` is left out because it holds the prompt
        return ErrorMessage("; ".join(_validation_error(each) for each in details))
    message = error.get("message") or error.get("detail") or error.get("msg") or content.decode("utf-8", "replace")
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None  # OpenRouter: the message of the provider
    kinds = [str(error[key]) for key in ("code", "type") if isinstance(error.get(key), str) and error[key]]
    text = " ".join([str(message), *([str(raw)] if raw else []), *([f"({', '.join(kinds)})"] if kinds else [])])
    return ErrorMessage(text, error["param"] if isinstance(error.get("param"), str) else "")


def _validation_error(detail: object) -> str:
    if not isinstance(detail, dict):
        return str(detail)
    location = detail.get("loc")
    field = ".".join(map(str, location)) if isinstance(location, list) else ""
    return f"{field}: {detail.get('msg', '')} ({detail.get('type', '')})"
