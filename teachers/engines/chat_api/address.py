"""Where a server is: its endpoints, and its address as it may be shown."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

from skillmill.data.errors import ConfigError

HIDDEN = "[hidden]"


@dataclass(frozen=True, slots=True)
class Address:
    """A `base_url`, taken apart. `credentials` (user:password) go into a header and are in no text."""

    scheme: str
    host: str
    path: str
    query: str
    credentials: str | None

    def endpoint(self, name: str) -> str:
        """`name` below the base path, with the query kept: Azure's `?api-version=` comes after the path."""
        return urlunsplit((self.scheme, self.host, f"{self.path}/{name}", self.query, ""))

    def at_root(self, name: str) -> str:
        """`name` beside `/v1`, where vLLM and llama.cpp have `/metrics` and `/health`."""
        return urlunsplit((self.scheme, self.host, f"{self.path.removesuffix('/v1')}/{name}", "", ""))

    @property
    def is_azure(self) -> bool:
        return self.host.partition(":")[0].endswith(".azure.com") or "api-version=" in self.query

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"


def parse_address(base_url: str) -> Address:
    """Raises `ConfigError`, without the credentials, for what is not an http or https address."""
    try:
        parts = urlsplit(base_url.strip())
        found = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        found = False
    if not found:
        raise ConfigError(f"teacher.base_url: expected an http or https address, got {shown(base_url)!r}")
    credentials, _, host = parts.netloc.rpartition("@")
    return Address(parts.scheme, host, parts.path.rstrip("/"), parts.query, credentials or None)


def shown(base_url: str) -> str:
    """A `base_url` for people and files: no credentials, no values of its query, readable or not."""
    try:
        parts = urlsplit(base_url)
    except ValueError:
        parts = SplitResult("", "", base_url.partition("?")[0], "", "")
    query = "&".join(_shown_parameter(each) for each in parts.query.split("&")) if parts.query else ""
    location = parts.netloc.rpartition("@")[2]
    path = parts.path if parts.netloc else parts.path.rpartition("@")[2]
    scheme = parts.scheme if parts.netloc or "@" not in parts.path else ""
    return urlunsplit((scheme, location, path, query, ""))


def _shown_parameter(each: str) -> str:
    name, equals, value = each.partition("=")
    return each if name == "api-version" else f"{name}{equals}{HIDDEN if value else ''}"
