"""The lab's hostile servers do what they threaten."""

from __future__ import annotations

import asyncio
import http.client
import socket
import time
import zlib
from collections.abc import Callable

import pytest

from btdiag.lab.faults.hostile import Kind
from tests.support.labclient import Target, ask, connect, staged

REQUEST = b"GET / HTTP/1.1\r\nHost: api.lab.example\r\n\r\n"
ENOUGH = 2 * 1024 * 1024


def received(kind: Kind, seconds: float = 0.5, limit: int = ENOUGH) -> bytes:
    """What comes back within the time, up to the limit."""

    def look(target: Target) -> bytes:
        data = bytearray()
        deadline = time.monotonic() + seconds
        with connect(target) as sock:
            sock.sendall(REQUEST)
            while len(data) < limit and (left := deadline - time.monotonic()) > 0:
                sock.settimeout(left)
                try:
                    piece = sock.recv(65536)
                except TimeoutError:
                    break
                if not piece:
                    break
                data += piece
        return bytes(data)

    return seen(kind, look)


def seen(kind: Kind, look: Callable[[Target], bytes]) -> bytes:
    async def run() -> bytes:
        async with staged(f"hostile-{kind}") as target:
            return await asyncio.to_thread(look, target)

    return asyncio.run(run())


def test_silent_says_nothing() -> None:
    assert received("silent") == b""


def test_endless_header_goes_on_without_an_empty_line() -> None:
    data = received("endless-header", 5.0)
    assert len(data) >= ENOUGH
    assert b"\r\n\r\n" not in data


def test_endless_body_goes_on() -> None:
    data = received("endless-body", 5.0)
    assert len(data) >= ENOUGH
    assert not data.endswith(b"0\r\n\r\n")


def test_drip_comes_byte_by_byte() -> None:
    assert 1 <= len(received("drip", 0.7)) < 10


def test_bomb_is_small_on_the_wire_and_large_unpacked() -> None:
    data = received("gzip-bomb", 10.0, limit=8 * ENOUGH)
    head, _, packed = data.partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    assert f"Content-Length: {len(packed)}".encode() in head
    assert len(packed) < 2 * 1024 * 1024
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    size = 0
    while packed:
        size += len(unpacker.decompress(packed, 1024 * 1024))
        packed = unpacker.unconsumed_tail
    assert size == 1024**3


def test_escapes_are_in_reason_header_and_body() -> None:
    line, _, rest = received("escapes").partition(b"\r\n")
    head, _, body = rest.partition(b"\r\n\r\n")
    assert all(b"\x1b[2J" in part and b"\x07" in part for part in (line, head, body))


def test_binary_is_no_http() -> None:
    assert not received("binary").startswith(b"HTTP/")


def test_reset_is_a_reset() -> None:
    """Seen below TLS, for OpenSSL may report a reset as an end of file."""

    def look(target: Target) -> bytes:
        with connect(target) as sock:
            sock.sendall(REQUEST)
            with socket.socket(fileno=sock.detach()) as raw, pytest.raises(ConnectionResetError):
                _read_to_end(raw)
        return b""

    seen("reset", look)


def _read_to_end(sock: socket.socket) -> None:
    sock.settimeout(5.0)
    while sock.recv(65536):
        pass


def test_cut_off_ends_early() -> None:
    def look(target: Target) -> bytes:
        with pytest.raises(http.client.IncompleteRead) as error:
            ask(target)
        return bytes(error.value.partial)

    assert seen("cut-off", look) == b"Hello"
