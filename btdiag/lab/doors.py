"""Doors at which TLS never comes about: a server that resets after the ClientHello, one that says nothing."""

from __future__ import annotations

import asyncio
from typing import Literal

from btdiag.lab.http import CHUNK
from btdiag.lab.net import Serve, reset


def broken_tls(how: Literal["resets", "silent"]) -> Serve:
    """What takes the place of a TLS server."""
    return _reset_after_hello if how == "resets" else _swallow


async def _reset_after_hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(CHUNK)
    reset(writer)


async def _swallow(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(CHUNK):
        pass
