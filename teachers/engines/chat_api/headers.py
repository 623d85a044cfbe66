"""The headers of every request to a chat server, and the secrets in them."""

import base64
import os
import re
from urllib.parse import parse_qsl, unquote

from skillmill.data.errors import ConfigError
from skillmill.teachers.config import TeacherConfig
from skillmill.teachers.engines.chat_api.address import Address
from skillmill.teachers.engines.chat_api.network import Proxy

SECRET_LENGTH = 6
"""Characters. Shorter header values ("true", "2024") are not secrets, and hiding them would garble messages."""


def headers_and_secrets(
    config: TeacherConfig, address: Address, proxy: Proxy | None
) -> tuple[dict[str, str], list[str]]:
    """Return the headers of every request, and the secrets in them and in the addresses, the longest first.

    Raises `ConfigError` for a header that HTTP does not allow.
    """
    headers, secrets = {"Content-Type": "application/json"}, proxy.secrets if proxy else []
    key = os.environ.get(config.api_key_env, "").strip()
    if address.credentials:
        plain = unquote(address.credentials)
        encoded = base64.b64encode(plain.encode()).decode()
        headers["Authorization"] = f"Basic {encoded}"
        secrets += [address.credentials, plain, plain.partition(":")[2], encoded]
    elif key:
        headers |= {"api-key": key} if address.is_azure else {"Authorization": f"Bearer {key}"}
    for name, value in config.headers.items():
        if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name) or re.search(r"[\r\n\0]", value):
            where = f"{config.section}.headers.{name!r}"
            raise ConfigError(f"{where}: expected a header's name, and a value of one line")
        secrets += [value, *value.split()[1:]] if len(value) >= SECRET_LENGTH else []
    secrets += [
        value for name, value in parse_qsl(address.query) if name != "api-version" and len(value) >= SECRET_LENGTH
    ]
    replaced = {name.lower() for name in config.headers}
    headers = {name: value for name, value in headers.items() if name.lower() not in replaced} | config.headers
    return headers, sorted(filter(None, [key, *secrets]), key=len, reverse=True)
