"""Proxies and certificates of the environment, with a real proxy and real certificates on loopback."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.teachers.base import Reply, Request, RequestFailed, Sampling
from skillmill.teachers.config import Retry, TeacherConfig
from skillmill.teachers.engines.chat_api.address import parse_address
from skillmill.teachers.engines.chat_api.network import proxy_for, tls_context
from skillmill.teachers.engines.openai import OpenAI
from skillmill.teachers.middleware.resilience import Resilient
from tests.support.forward_proxy import ForwardProxy, forward_proxy

QUICK = Retry(tries=2, first_pause_s=0.01, longest_pause_s=0.02, patience_s=1)
QUESTION = Request([{"role": "user", "content": "q"}], Sampling(), 1)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take the proxies and certificates of this machine out of the tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "requests_ca_bundle"):
        for variable in (name, name.upper()):
            monkeypatch.delenv(variable, raising=False)
    yield


async def answer(_: web.Request) -> web.Response:
    body = {"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}
    return web.json_response(body)


def app() -> web.Application:
    made = web.Application()
    made.router.add_route("*", "/{path:.*}", answer)
    return made


async def ask(base_url: str, proxied: bool = True) -> Any:
    """Return the reply to one request after `reach`, or the error of either."""
    try:
        client = OpenAI(TeacherConfig(kind="openai", base_url=base_url, model="m", timeout_s=20), proxied=proxied)
    except SkillmillError as error:
        return error
    try:
        await client.reach()
        return await Resilient(client, 1, QUICK).chat(QUESTION)
    except (SkillmillError, RequestFailed) as error:
        return error
    finally:
        await client.close()


def through(
    proxy: ForwardProxy,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    host: str = "127.0.0.1",
    **how: Any,
) -> Any:
    """Ask a server on loopback in an environment whose values may hold {proxy}, the proxy's host and port."""

    async def run() -> Any:
        async with TestServer(app(), host="127.0.0.1") as server, forward_proxy(proxy):
            for name, value in environment.items():
                monkeypatch.setenv(name, value.format(proxy=f"127.0.0.1:{proxy.port}"))
            proxy.target = server.port if host != "127.0.0.1" else None
            port = "" if proxy.target else f":{server.port}"
            return await ask(f"http://{host}{port}/v1", **how)

    return asyncio.run(run())


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_requests_take_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, scheme: str
) -> None:
    proxy = ForwardProxy()
    reply = through(proxy, {variable: scheme + "{proxy}"}, monkeypatch, host="teacher.invalid")
    assert isinstance(reply, Reply)
    assert [line.split(" ")[:2] for line in proxy.seen] == [
        ["GET", "http://teacher.invalid/v1/chat/completions"],
        ["POST", "http://teacher.invalid/v1/chat/completions"],
    ]


@pytest.mark.parametrize(
    "no_proxy", ["127.0.0.1", "localhost,127.0.0.1", "*", "127.0.0.0/8", "10.0.0.0/8, 127.0.0.1/32"]
)
def test_hosts_in_no_proxy_are_reached_directly(monkeypatch: pytest.MonkeyPatch, no_proxy: str) -> None:
    proxy = ForwardProxy()
    environment = {"HTTP_PROXY": "http://{proxy}", "NO_PROXY": no_proxy}
    assert isinstance(through(proxy, environment, monkeypatch), Reply)
    assert proxy.seen == []


def test_without_no_proxy_loopback_is_no_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = ForwardProxy()
    assert isinstance(through(proxy, {"HTTP_PROXY": "http://{proxy}", "NO_PROXY": "other.example"}, monkeypatch), Reply)
    assert len(proxy.seen) == 2


def test_a_server_that_the_run_started_is_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = ForwardProxy()
    assert isinstance(through(proxy, {"HTTP_PROXY": "http://{proxy}"}, monkeypatch, proxied=False), Reply)
    assert proxy.seen == []


def test_a_proxy_gets_its_password_and_no_message_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with_password = {"HTTP_PROXY": "http://me:h%40sh-1@{proxy}"}
    assert isinstance(through(ForwardProxy(password="me:h@sh-1"), with_password, monkeypatch), Reply)
    proxy = ForwardProxy(password="me:other")
    error = str(through(proxy, with_password, monkeypatch))
    assert f"through the proxy http://127.0.0.1:{proxy.port} (HTTP_PROXY) refuses: HTTP 407" in error
    assert "the proxy wants a user and a password" in error
    assert "sh-1" not in error
    assert "\n" not in error


@pytest.mark.parametrize(
    ("status", "message"), [(403, "refuses: HTTP 403"), (502, "HTTP 502: through the proxy http://127.0.0.1:")]
)
def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch, status: int, message: str) -> None:
    error = str(through(ForwardProxy(refuse=status), {"HTTP_PROXY": "http://{proxy}"}, monkeypatch))
    assert message in error


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://me:hush@127.0.0.1:9")
    error = str(asyncio.run(ask("http://teacher.invalid/v1")))
    place = "http://teacher.invalid/v1 through the proxy http://127.0.0.1:9 (HTTP_PROXY)"
    assert error == f"teacher.base_url: cannot reach {place}: Connection refused"


@pytest.mark.parametrize("url", ["socks5://me:hush@127.0.0.1:1080", "http://me:hush@[::1", "http://me:hush@:0"])
def test_a_proxy_of_another_kind_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ALL_PROXY", url)
    with pytest.raises(ConfigError, match=r"ALL_PROXY: expected an http or https proxy, got .*NO_PROXY") as error:
        proxy_for(parse_address("http://teacher.example/v1"))
    assert "hush" not in str(error.value)


def test_the_proxy_of_the_scheme_comes_before_the_one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    assert str(proxy_for(parse_address("https://host/v1"))) == "the proxy http://127.0.0.1:3128 (HTTPS_PROXY)"
    monkeypatch.setenv("NO_PROXY", ".corp.example,[::1],fd00::/8")
    for direct in (
        "http://a.corp.example:8000",
        "https://a.corp.example",
        "http://[::1]:8000",
        "http://[fd00::7]:8000",
    ):
        assert proxy_for(parse_address(direct)) is None


def certificate(folder: Path, names: list[x509.GeneralName], days: int = 2) -> tuple[Path, Path]:
    """Write a self-signed certificate and its key; return both paths. Negative `days`: it has expired."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "teacher")])
    start, end = sorted((now - datetime.timedelta(days=1), now + datetime.timedelta(days=days)))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return files


LOOPBACK: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


def ask_encrypted(files: tuple[Path, Path], proxy: ForwardProxy | None = None) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)

    async def run() -> Any:
        server = TestServer(app(), host="127.0.0.1", scheme="https")
        await server.start_server(ssl=context)
        try:
            if proxy is None:
                return await ask(f"https://127.0.0.1:{server.port}/v1")
            async with forward_proxy(proxy):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setenv("HTTPS_PROXY", proxy.url)
                    return await ask(f"https://127.0.0.1:{server.port}/v1")
        finally:
            await server.close()

    return asyncio.run(run())


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_certificate_of_ones_own_is_trusted_by_a_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    files = certificate(tmp_path, LOOPBACK)
    error = str(ask_encrypted(files))
    assert "its certificate is not valid: self" in error
    assert "into the variable SSL_CERT_FILE" in error
    monkeypatch.setenv(variable, str(files[0]))
    assert isinstance(ask_encrypted(files), Reply)


def test_a_tunnel_through_a_proxy_is_checked_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files, proxy = certificate(tmp_path, LOOPBACK), ForwardProxy()
    assert "into the variable SSL_CERT_FILE" in str(ask_encrypted(files, proxy))
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    assert isinstance(ask_encrypted(files, proxy), Reply)
    assert {line.split(" ")[0] for line in proxy.seen} == {"CONNECT"}
    for status in (403, 407):
        error = str(ask_encrypted(files, ForwardProxy(refuse=status)))
        assert "(HTTPS_PROXY): " in error
        assert f"HTTP {status}" in error


@pytest.mark.parametrize(
    ("names", "days", "way_out"),
    [
        ([x509.DNSName("other.example")], 2, "use a name of the server that the certificate holds"),
        (LOOPBACK, -3, "renew it"),
    ],
)
def test_other_faults_of_a_certificate_have_other_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: list[x509.GeneralName], days: int, way_out: str
) -> None:
    files = certificate(tmp_path, names, days)
    monkeypatch.setenv("SSL_CERT_FILE", str(files[0]))
    assert way_out in str(ask_encrypted(files))


def test_https_to_a_server_without_it_is_explained() -> None:
    async def run() -> Any:
        async with TestServer(app(), host="127.0.0.1") as server:
            return await ask(f"https://127.0.0.1:{server.port}/v1")

    assert "does the server speak https?" in str(asyncio.run(run()))


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("no PEM", "it holds no certificate")])
def test_a_file_without_certificates_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, reason: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(variable, str(path))
            with pytest.raises(ConfigError, match=f"{variable}: expected a file with certificates .*{reason}"):
                tls_context()
