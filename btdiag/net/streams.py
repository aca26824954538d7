"""Opening connections: TCP to one address or to a proxy, CONNECT, TLS. Every phase timed, all under one deadline."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from btdiag.core.exchange import Failure, Phase, TcpCounters, Timing, Trouble
from btdiag.core.target import Proxy, Route
from btdiag.core.urls import port_of
from btdiag.net import counters
from btdiag.net.deadline import Deadline
from btdiag.net.failures import EXPECTED, Broken, failure_of
from btdiag.net.sockets import AS_IT_IS, Packing, Progress, connected, connected_by_name, counted
from btdiag.net.tunnel import ProxyAnswer, ProxyLine, ask_for_tunnel, require_open
from btdiag.openssl import tidy

READ_SIZE = 16 * 1024  # bytes parsed in one go: a flood of tiny chunks must not hold up all other measurements
CLOSE_BUDGET = 0.25  # a peer that answers close_notify does so within a round trip; nobody else is worth waiting for


class DialError(Exception):
    """A connection could not be made; carries the failure and the phases that went well.

    With a proxy, everything up to its answer is Phase.PROXY, its own TCP and TLS included: Phase.TCP and Phase.TLS
    are always about the target. `proxy_answer` is what it said to CONNECT, None when it said nothing.
    """

    def __init__(self, failure: Failure, timing: Timing, proxy_answer: ProxyAnswer | None = None) -> None:
        super().__init__(failure.detail)
        self.failure = failure
        self.timing = timing
        self.proxy_answer = proxy_answer


@dataclass(slots=True, kw_only=True)
class Stream:
    """An open connection. `reader`/`writer` are asyncio's; `ssl_object` is None without TLS.

    `verified` tells if certificate and name were checked (None: no TLS). `reusable` turns False when an answer ended so
    that no request may follow on this connection. `peer_address` is the proxy's where it is `proxied`. `plain_proxy` is
    set on a connection to a proxy that no tunnel was asked of: requests on it name the whole URL (RFC 9112 section
    3.2.2). `closed` is called once, when it ends.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ssl_object: ssl.SSLObject | None
    local_port: int
    peer_address: str
    timing: Timing
    label: str = ""
    proxied: bool = False
    verified: bool | None = None
    reusable: bool = True
    plain_proxy: Proxy | None = None
    proxy_answer: ProxyAnswer | None = None
    closed: Callable[[], None] = lambda: None

    @property
    def counters(self) -> TcpCounters | None:
        """What the system has counted on the connection so far."""
        return counters.of(self.writer.get_extra_info("socket"))

    @property
    def alpn(self) -> str | None:
        """The protocol agreed on in the handshake."""
        return self.ssl_object.selected_alpn_protocol() if self.ssl_object else None

    @contextlib.contextmanager
    def unread(self) -> Iterator[None]:
        """Leave what comes in the system's buffer meanwhile. A TLS transport of asyncio goes on reading when it is told
        to pause, so the transport below it is told."""
        transport: Any = self.writer.transport
        below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None) or transport
        below.pause_reading()
        try:
            yield
        finally:
            below.resume_reading()

    def abort(self) -> None:
        """Close at once: the only way to be rid of a server that never stops sending."""
        self.reusable = False
        cut(self.writer.transport)
        self._leave()

    def _leave(self) -> None:
        self.closed()
        self.closed = lambda: None

    async def close(self) -> None:
        """Close politely within CLOSE_BUDGET seconds, then at once. Never raises for what the peer does."""
        self.reusable = False
        self.writer.close()
        with contextlib.suppress(*EXPECTED):
            async with asyncio.timeout(CLOSE_BUDGET):
                await self.writer.wait_closed()
        cut(self.writer.transport)
        self._leave()


def cut(transport: asyncio.WriteTransport) -> None:
    """Close a connection at once. Python 3.11.2 (Debian 12) fails to, when TLS on it has been closed already."""
    with contextlib.suppress(AttributeError):
        transport.abort()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """A connection to be opened. `host` is what the proxy is asked to connect to; `server_name` goes into SNI ("" sends
    none); `context` is None without TLS. `tunnel` False leaves out CONNECT: http through a proxy. `packing` bounds
    its packets and buffers."""

    route: Route
    host: str
    server_name: str
    context: ssl.SSLContext | None
    proxy_context: Callable[[], ssl.SSLContext]
    timeout: float
    user_agent: str
    tunnel: bool = True
    packing: Packing = AS_IT_IS
    deadline: Deadline = field(default_factory=Deadline)


async def open_stream(dial: Dial) -> Stream:
    """Open the connection within dial.timeout seconds; raises DialError, or OutOfTime when the run ends meanwhile."""
    progress = Progress(Phase.PROXY if dial.route.proxy else Phase.TCP)
    try:
        async with dial.deadline.within(dial.timeout):
            if dial.route.proxy:
                return await _through_proxy(dial, dial.route.proxy, progress)
            return await _direct(dial, progress)
    except EXPECTED as error:
        timing = progress.timing()
        waited = dial.deadline.waited(error, timing.total_s, dial.timeout)
        silent = progress.counters if isinstance(error, TimeoutError) else None
        failure = replace(failure_of(error, progress.phase, waited), icmp=progress.icmp, counters=silent)
        raise DialError(failure, timing, progress.proxy_answer) from error


async def _direct(dial: Dial, progress: Progress) -> Stream:
    if dial.route.address is None:
        raise Broken(Trouble.LOCAL, f"route {dial.route.label} has neither an address nor a proxy")
    sock = await connected(dial.route.address, dial.route.port, progress, dial.packing)
    progress.reached("tcp_s", Phase.TLS)
    with counted(sock, progress):
        if dial.packing.before:
            await asyncio.get_running_loop().sock_sendall(sock, dial.packing.before)
        reader, writer = await _wrapped(sock, dial.context, dial.server_name)
    if dial.context:
        progress.reached("tls_s", Phase.SEND)
    return _stream(dial, progress, reader, writer)


async def _through_proxy(dial: Dial, proxy: Proxy, progress: Progress) -> Stream:
    url = urlsplit(proxy.url)
    port = port_of(url)
    sock = await connected_by_name(url.hostname or "", port, progress, dial.packing)
    progress.reached("tcp_s", Phase.PROXY)
    if url.scheme == "https":
        reader, writer = await _wrapped(sock, dial.proxy_context(), url.hostname or "")
        if dial.tunnel:
            await _tunnel_on_stream(dial, proxy, progress, reader, writer)
    else:
        if dial.tunnel:
            await _tunnel_on_socket(dial, proxy, progress, sock)
        reader, writer = await _wrapped(sock, dial.context, dial.server_name)
    progress.reached("tls_s" if dial.context else "proxy_s", Phase.SEND)
    return _stream(dial, progress, reader, writer)


def _stream(dial: Dial, progress: Progress, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Stream:
    context = dial.context
    peer = writer.get_extra_info("peername")
    if peer is None:
        raise Broken(Trouble.RESET, "reset as soon as it was accepted")
    return Stream(
        reader=reader,
        writer=writer,
        ssl_object=writer.get_extra_info("ssl_object") if context else None,
        local_port=writer.get_extra_info("sockname")[1],
        peer_address=peer[0],
        timing=progress.timing(),
        label=dial.route.label,
        proxied=dial.route.proxy is not None,
        verified=context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname if context else None,
        plain_proxy=None if dial.tunnel else dial.route.proxy,
        proxy_answer=progress.proxy_answer,
    )


async def _wrapped(
    sock: socket.socket, context: ssl.SSLContext | None, server_name: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if context is None:
        return await asyncio.open_connection(sock=sock, limit=READ_SIZE)
    try:
        return await asyncio.open_connection(
            sock=sock,
            limit=READ_SIZE,
            ssl=tidy(context),
            server_hostname=server_name,
            ssl_shutdown_timeout=CLOSE_BUDGET,
        )
    except (ValueError, TypeError):  # a name that SNI cannot carry: asyncio has not taken over the socket yet
        sock.close()
        raise


async def _tunnel_on_socket(dial: Dial, proxy: Proxy, progress: Progress, sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()

    async def send(data: bytes) -> None:
        await loop.sock_sendall(sock, data)

    async def receive() -> bytes:
        return await loop.sock_recv(sock, READ_SIZE)

    try:
        await _tunnel(dial, proxy, progress, ProxyLine(send=send, receive=receive))
    except BaseException:
        sock.close()
        raise


async def _tunnel_on_stream(
    dial: Dial, proxy: Proxy, progress: Progress, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """The tunnel, and TLS to the target in it, inside the TLS to an https:// proxy."""

    async def send(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    async def receive() -> bytes:
        return await reader.read(READ_SIZE)

    try:
        await _tunnel(dial, proxy, progress, ProxyLine(send=send, receive=receive))
        if dial.context:
            _may_carry_tls(writer.transport)
            await writer.start_tls(tidy(dial.context), server_hostname=dial.server_name)
    except BaseException:
        cut(writer.transport)
        raise


def _may_carry_tls(transport: Any) -> None:
    """Let a TLS transport be closed by force from a TLS connection inside it. In asyncio of Python 3.11 and 3.12 that
    is a TypeError, for the transport hands an error on to a method that takes none; 3.13 has it right."""
    transport._force_close = lambda _error: transport.abort()


async def _tunnel(dial: Dial, proxy: Proxy, progress: Progress, line: ProxyLine) -> None:
    answer, beyond = await ask_for_tunnel(line, proxy, dial.host, dial.route.port, dial.user_agent)
    progress.proxy_answer = answer
    require_open(answer, beyond)
    if dial.context:
        progress.reached("proxy_s", Phase.TLS)
