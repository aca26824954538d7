"""The forward proxy: CONNECT tunnels and plain requests to the lab's own hosts only; refusals and interception."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from btdiag.lab.http import HEAD_LIMIT, Request, Response, read_request, write_response
from btdiag.lab.net import Streams, splice
from btdiag.lab.plan import LabProxy

FIRST_REQUEST_TIMEOUT = 10.0
CONNECT_TIMEOUT = 5.0

OpensTls: TypeAlias = Callable[[str], ssl.SSLContext]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardProxy:
    """Serves one request a connection. `names` are the hosts it resolves; `impostor` gives the TLS context with which
    it poses as a host, `verifying` the one with which it asks the real host then."""

    plan: LabProxy
    names: Mapping[str, tuple[str, ...]]
    impostor: OpensTls
    verifying: ssl.SSLContext

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection."""
        async with asyncio.timeout(FIRST_REQUEST_TIMEOUT):
            request = await read_request(reader)
        if request is None:
            return
        refusal = self._refusal(request)
        if refusal is not None:
            await write_response(writer, refusal, request.method)
        elif request.method == "CONNECT":
            await self._tunnel(request, reader, writer)
        else:
            await self._plain(request, reader, writer)

    def _refusal(self, request: Request) -> Response | None:
        denied = not self.plan.denied_hosts or _host_and_port(request)[0] in self.plan.denied_hosts
        if self.plan.denies is not None and denied:
            return _page(self.plan.denies, "ERR_ACCESS_DENIED 0")
        if self.plan.credentials is not None:
            token = base64.b64encode(self.plan.credentials.encode()).decode()
            if request.header("proxy-authorization") != f"Basic {token}":
                return _page(407, "ERR_CACHE_ACCESS_DENIED 0").adding(("Proxy-Authenticate", 'Basic realm="lab proxy"'))
        if _host_and_port(request)[0] not in self.names:
            return _page(503, "ERR_DNS_FAIL 0")
        return None

    async def _tunnel(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = _host_and_port(request)
        try:
            far = await self._connect(host, port, self.verifying if self.plan.intercepts else None)
        except (OSError, TimeoutError):
            await write_response(writer, _page(503, "ERR_CONNECT_FAIL 111"), "GET")
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            if self.plan.intercepts:
                await writer.start_tls(self.impostor(host))
            await splice((reader, writer), far, self.plan.cuts_idle_after)
        finally:
            far[1].close()

    async def _plain(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = _host_and_port(request)
        try:
            far = await self._connect(host, port, None)
        except (OSError, TimeoutError):
            await write_response(writer, _page(503, "ERR_CONNECT_FAIL 111"), request.method)
            return
        try:
            target = "/" + request.target.split("://", 1)[-1].partition("/")[2]
            lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers)]
            far[1].write(("\r\n".join(lines) + "\r\nVia: 1.1 lab-proxy\r\n\r\n").encode("latin-1"))
            await splice((reader, writer), far)
        finally:
            far[1].close()

    async def _connect(self, host: str, port: int, tls: ssl.SSLContext | None) -> Streams:
        """Try the host's addresses in order, as a proxy does."""
        failure: OSError | TimeoutError = OSError(f"no address for {host}")
        for address in self.names[host]:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    return await asyncio.open_connection(
                        address, port, limit=HEAD_LIMIT, ssl=tls, server_hostname=host if tls else None
                    )
            except (OSError, TimeoutError) as error:
                failure = error
        raise failure


def _host_and_port(request: Request) -> tuple[str, int]:
    if request.method == "CONNECT":
        authority, default = request.target, 443
    else:
        authority, default = request.target.split("://", 1)[-1].partition("/")[0], 80
    host, _, port = authority.rpartition(":")
    if not port.isdigit():
        host, port = authority, str(default)
    return host.strip("[]").lower(), int(port)


def _page(status: int, error: str) -> Response:
    """A refusal as squid words it."""
    body = (
        f"<html><head><title>ERROR: The requested URL could not be retrieved</title></head><body>{error}</body></html>"
    )
    headers = (
        ("Server", "squid/5.7"),
        ("Content-Type", "text/html;charset=utf-8"),
        ("X-Squid-Error", error),
        ("Via", "1.1 lab-proxy (squid/5.7)"),
    )
    return Response(status=status, headers=headers, body=body.encode(), closes=True)
