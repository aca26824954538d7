"""Doors at which TLS never comes about: a server that resets after the ClientHello, one that says nothing, a filter
that reads the server name in it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

from btdiag.lab.http import CHUNK
from btdiag.lab.net import Serve, reset


def broken_tls(how: Literal["resets", "silent"]) -> Serve:
    """What takes the place of a TLS server."""
    return _reset_after_hello if how == "resets" else _swallow


def filtering_names(name: str, host: str, port: int) -> Serve:
    """A filter before the TLS server at (host, port): a ClientHello with that server name is answered by a reset."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await reader.read(CHUNK)
        if name.encode() in hello:
            reset(writer)
            return
        far_reader, far_writer = await asyncio.open_connection(host, port)
        try:
            far_writer.write(hello)
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            far_writer.close()

    return serve


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
