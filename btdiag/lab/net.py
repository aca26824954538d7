"""Loopback sockets: addresses to be had on this machine, one port on several of them, doors that refuse or stay silent,
and servers whose connections are counted and end with them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from btdiag.lab.handshake import TlsServer
from btdiag.lab.http import CHUNK, HEAD_LIMIT, Malformed

MAX_CONNECTIONS = 1000

# asyncio takes a few turns of its loop from accepting a connection to telling its protocol, and again to close it.
LOOP_TURNS = 5

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_BROKEN_OFF = (ConnectionError, TimeoutError, EOFError, ssl.SSLError, OSError, Malformed)


def loopback_addresses() -> tuple[str, ...]:
    """The addresses of the load balancer: 127.0.0.2, 127.0.0.3 and ::1, as far as this machine has them.

    Linux owns all of 127.0.0.0/8; elsewhere only 127.0.0.1 may be there, and it stands in then.
    """
    found = tuple(address for address in ("127.0.0.2", "127.0.0.3", "::1") if _bindable(address))
    return found if any("." in address for address in found) else ("127.0.0.1", *found)


def bound(
    address: str, port: int = 0, kind: socket.SocketKind = socket.SOCK_STREAM, *, reuse: bool = False
) -> socket.socket:
    """A non-blocking socket bound to the address; OSError when the port is taken.

    Only a port that was asked for is reused, by a lab that is started again: SO_REUSEADDR lets two processes have the
    same port for as long as neither listens, and then one lab would answer where another one refuses.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        if reuse:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def on_one_port(
    places: Sequence[tuple[str, socket.SocketKind]], port: int = 0, tries: int = 50
) -> tuple[int, list[socket.socket]]:
    """Sockets for all the (address, kind) pairs on the same port: `port`, or any free one for 0."""
    for attempt in range(tries):
        sockets: list[socket.socket] = []
        chosen = port
        try:
            for address, kind in places:
                sockets.append(bound(address, chosen, kind, reuse=bool(port)))
                chosen = sockets[0].getsockname()[1]
        except OSError:
            for sock in sockets:
                sock.close()
            if port or attempt == tries - 1:
                raise
        else:
            return chosen, sockets
    raise OSError("no port is free on all addresses")


class SilentPort:
    """A listening socket whose accept queue is full, so that the kernel drops every further SYN: a connect hangs."""

    def __init__(self, sock: socket.socket) -> None:
        self._sockets = [sock]
        sock.listen(0)
        for _ in range(3):
            filler = socket.socket(sock.family, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname()[:2])
            self._sockets.append(filler)

    def close(self) -> None:
        """Let go of the address."""
        for sock in self._sockets:
            sock.close()


class Listeners:
    """The servers of the lab and their connections, at most MAX_CONNECTIONS of them; closed together."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._handshakes: set[asyncio.BaseTransport] = set()

    def keep(self, *sockets: socket.socket) -> None:
        """Own bound sockets: connections to their ports are refused until somebody listens."""
        for sock in sockets:
            self._stack.callback(sock.close)

    def stay_silent(self, sock: socket.socket) -> None:
        """Keep the port, and let connections to it hang."""
        self._stack.callback(SilentPort(sock).close)

    def own(self, transport: asyncio.BaseTransport) -> None:
        """Close a transport with the rest."""
        self._stack.callback(transport.close)

    async def listen(self, sock: socket.socket, serve: Serve, tls: ssl.SSLContext | None = None) -> None:
        """Accept connections on the socket and hand each one to `serve`; what it leaves open is closed after it."""
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.BaseProtocol:
            streams = asyncio.StreamReaderProtocol(
                asyncio.StreamReader(limit=HEAD_LIMIT, loop=loop), self._guarded(serve), loop=loop
            )
            return TlsServer(streams, tls, self._handshakes) if tls else streams

        server = await loop.create_server(protocol, sock=sock, backlog=MAX_CONNECTIONS)
        self._stack.callback(server.close)

    def _guarded(self, serve: Serve) -> Serve:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            if len(self._serving) >= MAX_CONNECTIONS:
                end_now(writer.transport)
                return
            self._serving[task] = writer
            try:
                await serve(reader, writer)
            except _BROKEN_OFF:
                pass  # the peer went away, or talked nonsense: its own affair
            except asyncio.CancelledError:
                pass  # only closing the lab cancels, and asyncio's streams would log it as an error
            finally:
                writer.close()
                await _closed(writer)
                del self._serving[task]

        return connected

    async def close(self) -> None:
        """Close all listening sockets and break off all connections."""
        self._stack.close()
        for _ in range(LOOP_TURNS):
            await asyncio.sleep(0)
        for transport in list(self._handshakes):
            transport.close()
        tasks = list(self._serving)
        for task in tasks:
            end_now(self._serving[task].transport)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(LOOP_TURNS):
            await asyncio.sleep(0)


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Wait until all is sent and the connection is gone, or until closing the lab breaks it off."""
    with contextlib.suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()


async def splice(near: Streams, far: Streams, idle: float | None = None) -> None:
    """Copy both ways until either side ends, or nothing came from the far one for `idle` seconds."""
    copies: list[Awaitable[None]] = [_copy(near[0], far[1]), _copy(far[0], near[1], idle)]
    tasks = [asyncio.ensure_future(copy) for copy in copies]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, idle: float | None = None) -> None:
    with contextlib.suppress(ConnectionError, TimeoutError):
        while piece := await asyncio.wait_for(source.read(CHUNK), idle):
            sink.write(piece)
            await sink.drain()


def end_now(transport: asyncio.WriteTransport) -> None:
    """Close at once. Python 3.11.2 (Debian 12) fails to, when TLS on the connection has been closed already."""
    with contextlib.suppress(AttributeError):
        transport.abort()


def reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection off with a RST instead of a FIN."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end_now(writer.transport)


def _bindable(address: str) -> bool:
    try:
        bound(address).close()
    except OSError:
        return False
    return True
