"""The way to a server: proxies and certificates from the environment, and what a fault on the way means.

Proxies are those of curl and requests: `HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY`, except for the hosts in `NO_PROXY`.
aiohttp's own reading of the environment knows no `ALL_PROXY`, and it takes passwords from `.netrc` too.
"""

import base64
import errno
import ipaddress
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from skillmill.data.errors import ConfigError
from skillmill.teachers.engines.chat_api.address import Address, shown

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Files with further authorities. OpenSSL itself reads the first one, but says nothing if the file is not there."""

_EXPIRED, _OTHER_HOST = {9, 10}, {62, 64}
"""OpenSSL's codes of certificates that are not valid at this time, and not for this host."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy. `url` may hold user and password, which `str()` does not show; `variable` is where it is configured."""

    url: str
    variable: str

    @property
    def secrets(self) -> list[str]:
        """The texts that no message may show."""
        parts = urlsplit(self.url)
        plain = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        secrets = [parts.password, unquote(parts.password or ""), base64.b64encode(plain.encode()).decode()]
        return [secret for secret in secrets if secret] if parts.username else []

    def __str__(self) -> str:
        return f"the proxy {shown(self.url)} ({self.variable})"


def proxy_for(address: Address) -> Proxy | None:
    """Return the proxy to a server, None for a direct connection.

    Raises `ConfigError`, without the credentials, if the environment names a proxy of another kind than HTTP.
    """
    host = urlsplit(f"//{address.host}").hostname or ""
    proxies = getproxies()
    kind = address.scheme if proxies.get(address.scheme) else "all"
    url = proxies.get(kind, "")
    if not url or proxy_bypass(address.host) or proxy_bypass(host) or _in_a_network(host, proxies.get("no", "")):
        return None
    variable = next((name for name in os.environ if name.lower() == f"{kind}_proxy"), "the system's settings")
    url = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(
            f"{variable}: expected an http or https proxy, got {shown(url)!r}; "
            f"with {host} in NO_PROXY the connection is direct"
        )
    return Proxy(f"{parts.scheme}://{parts.netloc}", variable)


def _in_a_network(host: str, no_proxy: str) -> bool:
    """Return whether an address such as 10.1.2.3 belongs to an address or network of `NO_PROXY`, such as 10.0.0.0/8."""
    for entry in no_proxy.replace(" ", ",").split(","):
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False


def tls_context() -> ssl.SSLContext:
    """Return the settings of encrypted connections, with the authorities of the system and of the environment.

    Raises `ConfigError` if a file that the environment names cannot be read or holds no certificates.
    """
    context = ssl.create_default_context()
    for variable in CERTIFICATE_VARIABLES:
        if not (path := os.environ.get(variable)):
            continue
        try:
            context.load_verify_locations(**{"capath" if Path(path).is_dir() else "cafile": path})
        except (OSError, ssl.SSLError) as error:
            reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise ConfigError(f"{variable}: expected a file with certificates (PEM), got {path}: {reason}") from None
    return context


def cause(error: Exception) -> str:
    """Describe why a connection failed, with the way out if the certificate is at fault."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"HTTP {error.status} {error.message}"
    fault = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(fault, ConnectionRefusedError):
        return os.strerror(errno.ECONNREFUSED)  # without the addresses that asyncio adds
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {fault.verify_message}; {_way_out(fault.verify_code)}"
    if isinstance(fault, ssl.SSLError):
        return f"no encrypted connection ({fault.reason or fault}); does the server speak https?"
    return getattr(fault, "strerror", None) or str(fault) or type(fault).__name__


def _way_out(verify_code: int) -> str:
    if verify_code in _EXPIRED:
        return "renew it, or set this machine's clock"
    if verify_code in _OTHER_HOST:
        return "use a name of the server that the certificate holds"
    return "put the path of the certificate of its authority (PEM) into the variable SSL_CERT_FILE"
