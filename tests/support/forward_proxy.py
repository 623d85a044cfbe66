"""A real HTTP proxy in the event loop of a test: absolute addresses, `CONNECT` tunnels, and a password if asked for."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class ForwardProxy:
    """What a proxy does and has seen: `seen` are the request lines, `refuse` is the status that every request gets."""

    password: str | None = None
    refuse: int | None = None
    target: int | None = None
    """The port of loopback that all names stand for, None to connect to the port that was asked for."""
    port: int = 0
    seen: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            line, _, headers = head.decode("latin-1").partition("\r\n")
            self.seen.append(line)
            method, address, _ = line.split(" ")
            if self.refuse or not self._knows(headers):
                status = self.refuse or 407
                writer.write(f"HTTP/1.1 {status} Refused\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno".encode())
                return
            host = address if method == "CONNECT" else address.partition("://")[2].partition("/")[0]
            port = self.target or int(host.rpartition(":")[2])
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                path = "/" + address.partition("://")[2].partition("/")[2]
                closing = headers.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
                far_writer.write(f"{method} {path} HTTP/1.1\r\n{closing}".encode("latin-1"))
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _knows(self, headers: str) -> bool:
        if self.password is None:
            return True
        return f"Basic {base64.b64encode(self.password.encode()).decode()}" in headers


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
    target.close()


@asynccontextmanager
async def forward_proxy(proxy: ForwardProxy) -> AsyncIterator[ForwardProxy]:
    """Run the proxy for the duration of the block, on a free port of loopback."""
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
