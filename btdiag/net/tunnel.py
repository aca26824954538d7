"""Asking a proxy for a tunnel: CONNECT (RFC 9110 section 9.3.6), its answer, and what a refusal says of itself."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import h11

from btdiag.core.exchange import Header, Trouble
from btdiag.core.target import Proxy
from btdiag.core.urls import bracketed
from btdiag.net.failures import Broken, legible, received_headers

ANSWER_LIMIT = 64 * 1024  # bytes of the proxy's status line and headers
_TELLING = ("Proxy-Authenticate", "X-Squid-Error", "Via", "Server", "Location")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyAnswer:
    """What a proxy said to CONNECT. Header names and values as received, escaped."""

    status: int
    reason: str
    headers: tuple[Header, ...]

    def header(self, name: str) -> str | None:
        """The values of a header joined with ", "; None when it is absent."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyLine:
    """How to talk to the proxy: over a bare socket, or inside TLS to an https:// proxy."""

    send: Callable[[bytes], Awaitable[None]]
    receive: Callable[[], Awaitable[bytes]]


async def ask_for_tunnel(
    line: ProxyLine, proxy: Proxy, host: str, port: int, user_agent: str
) -> tuple[ProxyAnswer, bytes]:
    """The proxy's answer to CONNECT, and what it sent beyond; raises Broken or h11.RemoteProtocolError when that is no
    answer. Whether the tunnel is open, `require_open` tells."""
    authority = f"{bracketed(host)}:{port}"
    headers = [("Host", authority), ("User-Agent", user_agent), *proxy_authorization(proxy)]
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=ANSWER_LIMIT)
    request = connection.send(h11.Request(method="CONNECT", target=authority, headers=headers))
    await line.send(request or b"")
    answer = await _answer(connection, line)
    return answer, connection.trailing_data[0]


def require_open(answer: ProxyAnswer, beyond: bytes) -> None:
    """Raises Broken unless the tunnel is open and silent: the client speaks first in it."""
    if not 200 <= answer.status < 300:
        said = [f"{name}: {answer.header(name)}" for name in _TELLING if answer.header(name)]
        status = f"the proxy answered CONNECT with {answer.status} {answer.reason}".rstrip()
        raise Broken(Trouble.PROXY_REFUSED, "; ".join([status, *said]))
    if beyond:
        raise Broken(Trouble.PROTOCOL, "the proxy sent bytes of its own after it had opened the tunnel")


def proxy_authorization(proxy: Proxy) -> list[Header]:
    """The Proxy-Authorization header (Basic, RFC 7617) for a proxy with credentials, nothing without."""
    if proxy.credentials is None:
        return []
    token = base64.b64encode(proxy.credentials.reveal().encode()).decode("ascii")
    return [("Proxy-Authorization", f"Basic {token}")]


async def _answer(connection: h11.Connection, line: ProxyLine) -> ProxyAnswer:
    while not isinstance(event := connection.next_event(), h11.Response):
        if event is h11.NEED_DATA:
            data = await line.receive()
            if not data:
                raise Broken(Trouble.CLOSED, "the proxy closed the connection instead of answering CONNECT")
            connection.receive_data(data)
    return ProxyAnswer(status=event.status_code, reason=legible(event.reason), headers=received_headers(event))
