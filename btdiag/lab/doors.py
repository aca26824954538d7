"""Doors at which TLS never comes about: a server that resets after the ClientHello, one that says nothing, a filter
that reads the server name in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Literal

from btdiag.lab.http import CHUNK
from btdiag.lab.net import Serve, reset

ONE_PACKET = 1460  # bytes of TCP in an Ethernet frame of 1500


def broken_tls(how: Literal["resets", "silent"]) -> Serve:
    """What takes the place of a TLS server."""
    return _reset_after_hello if how == "resets" else _swallow


def filtering_names(name: str, host: str, port: int) -> Serve:
    """A filter before the TLS server at (host, port): a ClientHello with that server name is answered by a reset."""

    return _guarded(lambda hello: name.encode() in hello, host, port)


def refusing_large_hellos(host: str, port: int) -> Serve:
    """A box before the TLS server at (host, port) that resets a ClientHello which fills more than one packet."""
    return _guarded(lambda hello: len(hello) > ONE_PACKET, host, port)


def _guarded(refuses: Callable[[bytes], bool], host: str, port: int) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await _hello(reader)
        if refuses(hello):
            reset(writer)
            return
        far_reader, far_writer = await asyncio.open_connection(host, port)
        try:
            far_writer.write(hello)
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            far_writer.close()

    return serve


async def _hello(reader: asyncio.StreamReader) -> bytes:
    """The first TLS record, whole (RFC 8446 section 5.1), or the first bytes of what is none."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        head = await reader.readexactly(5)
        if head[0] != 22:
            return head
        return head + await reader.readexactly(int.from_bytes(head[3:5], "big"))
    return b""


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await source.read(CHUNK):
            sink.write(piece)
        sink.close()


async def _reset_after_hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(CHUNK)
    reset(writer)


async def _swallow(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(CHUNK):
        pass
