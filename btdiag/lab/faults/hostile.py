"""Servers that mean harm, or act like it: each kind breaks one bound that a client must have."""

from __future__ import annotations

import asyncio
import random
import zlib
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal, TypeAlias

from btdiag.lab.http import CHUNK, Request
from btdiag.lab.net import Serve, reset
from btdiag.lab.rules import Answer, Raw, Rule, Visit

Kind: TypeAlias = Literal[
    "silent", "endless-header", "endless-body", "drip", "gzip-bomb", "escapes", "binary", "reset", "cut-off"
]

BOMB_BLOCK = 1024 * 1024
BOMB_BLOCKS = 1024
DRIP_INTERVAL = 0.2

_OK = b"HTTP/1.1 200 OK\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile(Rule):
    """Requests are read, and then this happens instead of a response."""

    kind: Kind

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The hostile act."""
        return Raw(_ACTS[self.kind])


async def _silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(CHUNK):
        pass


async def _endless_header(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_OK)
    number = 0
    while True:
        writer.write(b"".join(b"X-Filler-%d: %s\r\n" % (number + step, b"a" * 100) for step in range(100)))
        number += 100
        await _sent(writer)


async def _endless_body(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_OK + b"Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"%x\r\n%s\r\n" % (CHUNK, b"a" * CHUNK))
        await _sent(writer)


async def _sent(writer: asyncio.StreamWriter) -> None:
    """Drain, and let the rest of the lab run: drain alone does not wait while the kernel still takes everything."""
    await writer.drain()
    await asyncio.sleep(0)


async def _drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte at a time, so that no timeout on a single read ever strikes."""
    for byte in _OK + b"Content-Type: text/plain\r\nContent-Length: 100000\r\n\r\n" + b"a" * 100_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(DRIP_INTERVAL)


async def _gzip_bomb(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    header, block, trailer = _bomb()
    size = len(header) + BOMB_BLOCKS * len(block) + len(trailer)
    writer.write(_OK + b"Content-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % size)
    writer.write(header)
    for _ in range(BOMB_BLOCKS):
        writer.write(block)
        await _sent(writer)
    writer.write(trailer)
    await writer.drain()


@cache
def _bomb() -> tuple[bytes, bytes, bytes]:
    """A gzip stream of 1 GiB of zeros: its header, the block that is repeated, and the end with its checksum."""
    zeros = bytes(BOMB_BLOCK)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(BOMB_BLOCKS):
        checksum = zlib.crc32(zeros, checksum)
    length = BOMB_BLOCK * BOMB_BLOCKS % 2**32
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03"
    return header, block, packer.flush() + checksum.to_bytes(4, "little") + length.to_bytes(4, "little")


async def _escapes(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Terminal escapes in the reason, in header values and in the body: clear screen, title, red, bell, C1."""
    evil = b"\x1b[2J\x1b]0;owned\x07\x1b[31mroot\x9b1m\x08\x7f"
    head = b"HTTP/1.1 200 " + evil + b"\r\nServer: " + evil + b"\r\nX-Evil: " + evil
    body = evil + b"\xff\xfe\xe2\x80\xae"
    writer.write(head + b"\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


async def _binary(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(random.Random(7).randbytes(4096))
    await writer.drain()


async def _reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def _cut_off(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The body ends long before its Content-Length."""
    writer.write(_OK + b"Content-Type: text/plain\r\nContent-Length: 100000\r\n\r\nHello")
    await writer.drain()


_ACTS: MappingProxyType[Kind, Serve] = MappingProxyType(
    {
        "silent": _silent,
        "endless-header": _endless_header,
        "endless-body": _endless_body,
        "drip": _drip,
        "gzip-bomb": _gzip_bomb,
        "escapes": _escapes,
        "binary": _binary,
        "reset": _reset,
        "cut-off": _cut_off,
    }
)
