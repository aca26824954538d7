"""For tests: a server on loopback that says exactly the given bytes, and a Wire that asks it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from socket import SO_LINGER, SOL_SOCKET

from btdiag.core.exchange import Exchange
from btdiag.core.target import Route, Target
from btdiag.net.limits import Limits
from btdiag.net.wire import Wire

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(handler: Handler, *, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve with the handler on 127.0.0.1; gives the port. Every connection is closed at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                await handler(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 0.5)
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def saying(*pieces: bytes, pause: float = 0.0, head: bool = True) -> Handler:
    """A handler that reads a request's head and answers with the pieces."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if head:
            await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return handler


def forever(start: bytes, piece: bytes, pause: float = 0.0) -> Handler:
    """A handler that answers with `start` and then `piece` again and again."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return handler


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A handler that reads a request's head and resets the connection."""
    await reader.readuntil(b"\r\n\r\n")
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A handler that takes everything and says nothing."""
    while await reader.read(65536):
        pass


def http_target(port: int) -> Target:
    """A plain http target on loopback."""
    return Target(url=f"http://127.0.0.1:{port}", scheme="http", host="127.0.0.1", port=port)


def route_to(port: int) -> Route:
    """The route to a port of loopback."""
    return Route(label="127.0.0.1", address="127.0.0.1", port=port)


def ask(handler: Handler, *, method: str = "GET", body: bytes = b"", limits: Limits | None = None) -> Exchange:
    """What a plain http exchange with the handler looks like."""

    async def run() -> Exchange:
        async with serving(handler) as port:
            target = http_target(port)
            wire = Wire(target, user_agent="btdiag/test")
            return await wire.exchange(route_to(port), method, target.url_for("/"), body=body, limits=limits)

    return asyncio.run(run())
