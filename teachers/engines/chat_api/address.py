"""The address of a chat server: its endpoints, and how it is shown."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

from skillmill.data.errors import ConfigError

HIDDEN = "[hidden]"
"""The text that replaces a secret."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a `base_url`. `credentials` (user:password) are sent in a header and never shown."""

    scheme: str
    host: str
    path: str
    query: str
    credentials: str | None

    def endpoint(self, name: str) -> str:
        """Return the URL of `name` below the base path, with the query (Azure's `?api-version=` follows the path)."""
        return urlunsplit((self.scheme, self.host, f"{self.path}/{name}", self.query, ""))

    def at_root(self, name: str) -> str:
        """Return the URL of `name` beside `/v1`, where vLLM and llama.cpp have `/metrics` and `/health`."""
        return urlunsplit((self.scheme, self.host, f"{self.path.removesuffix('/v1')}/{name}", "", ""))

    @property
    def is_azure(self) -> bool:
        """Whether the server belongs to Azure, which takes its key in a header of its own."""
        return self.host.partition(":")[0].endswith(".azure.com") or "api-version=" in self.query

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"


def parse_address(base_url: str, section: str = "teacher") -> Address:
    """Split a `base_url` into its parts.

    Raises `ConfigError` for `section`.base_url, without the credentials, if it is not an http or https address.
    """
    try:
        parts = urlsplit(base_url.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(f"{section}.base_url: expected an http or https address, got {shown(base_url)!r}")
    credentials, _, host = parts.netloc.rpartition("@")
    return Address(parts.scheme, host, parts.path.rstrip("/"), parts.query, credentials or None)


def shown(base_url: str) -> str:
    """Return a `base_url`, valid or not, without its credentials and the values of its query."""
    try:
        parts = urlsplit(base_url)
    except ValueError:
        parts = SplitResult("", "", base_url.partition("?")[0], "", "")
    query = "&".join(_shown_parameter(each) for each in parts.query.split("&")) if parts.query else ""
    location = parts.netloc.rpartition("@")[2]
    path = parts.path if parts.netloc else parts.path.rpartition("@")[2]
    scheme = parts.scheme if parts.netloc or "@" not in parts.path else ""
    return urlunsplit((scheme, location, path, query, ""))


def _shown_parameter(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    return parameter if name == "api-version" else f"{name}{equals}{HIDDEN if value else ''}"
