"""The wire as an `httpx.AsyncClient`, for whoever knows that better: the built-in `client` of measurements.

Every request goes the measured way (a pinned address, TLS as the way wants it, all limits of a wire) on a connection
of its own. Redirects are not followed, proxies and credentials of the environment are not read. What the wire saw
stands in `response.extensions["exchange"]`: headers as received, times, address. The API key is sent only where a
request says so, `extensions={"key": True}`, and where it may go.
"""

from __future__ import annotations

from dataclasses import replace

import httpx

from btdiag.core.answers import in_words
from btdiag.core.exchange import Exchange, Phase, Trouble
from btdiag.core.target import Target, Way
from btdiag.net.limits import HEALTH_ANSWER, Limits
from btdiag.net.wire import Wire

_LEFT_TO_THE_WIRE = frozenset({"host", "content-length", "connection", "transfer-encoding"})


def client(wire: Wire, way: Way, target: Target) -> httpx.AsyncClient:
    """A client whose requests go this way; a path such as "/version" is one of the target's."""
    return httpx.AsyncClient(
        transport=MeasuredTransport(wire, way),
        base_url=target.url,
        headers={"User-Agent": wire.user_agent, "Accept": "*/*", "Accept-Encoding": "identity"},
        timeout=HEALTH_ANSWER.total,
        trust_env=False,
    )


class MeasuredTransport(httpx.AsyncBaseTransport):
    """Sends what an httpx client asks for over the wire. A request that comes to no answer raises httpx's error for it,
    in the words of a report."""

    def __init__(self, wire: Wire, way: Way, limits: Limits = HEALTH_ANSWER) -> None:
        self._wire = wire
        self._way = way
        self._limits = limits

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange; the answer's body is unpacked already, so its coding is left out of the headers."""
        content: list[bytes] = []
        seconds = request.extensions.get("timeout", {}).get("read") or self._limits.total
        seen = await self._wire.exchange(
            self._way,
            request.method,
            str(request.url),
            headers=[(name, value) for name, value in _sent(request) if name.lower() not in _LEFT_TO_THE_WIRE],
            body=await request.aread(),
            with_key=bool(request.extensions.get("key")),
            limits=replace(self._limits, total=seconds),
            keep=content,
        )
        if seen.failure is not None:
            raise _error(seen)(f"{seen.method} {seen.url} on {seen.label}: {in_words(seen)}", request=request)
        return httpx.Response(
            seen.status or 0,
            headers=[header for header in seen.headers if header[0].lower() != "content-encoding"],
            content=b"".join(content),
            extensions={"exchange": seen, "http_version": (seen.http_version or "").encode()},
            request=request,
        )


def _sent(request: httpx.Request) -> list[tuple[str, str]]:
    return [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw]


def _error(seen: Exchange) -> type[httpx.TransportError]:
    assert seen.failure is not None
    connecting = seen.failure.phase in {Phase.TCP, Phase.TLS}
    if seen.failure.phase is Phase.PROXY:
        return httpx.ProxyError
    if seen.failure.trouble is Trouble.TIMEOUT:
        return httpx.ConnectTimeout if connecting else httpx.ReadTimeout
    if connecting:
        return httpx.ConnectError
    return httpx.RemoteProtocolError if seen.failure.trouble is Trouble.PROTOCOL else httpx.ReadError
