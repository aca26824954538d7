"""Undoes content codings piece by piece, so that what unpacks to far more than it weighs costs no memory.

Sources: RFC 9110 section 8.4.1 (gzip, deflate), RFC 7932 (br), RFC 8878 and RFC 9659 (zstd, and its window on the web).
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator

from btdiag.core.exchange import Trouble
from btdiag.net.failures import Broken
from btdiag.net.limits import Limits

CODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd"})
PIECE = 64 * 1024  # bytes unpacked at a time
_WINDOW_AUTO = 47  # zlib: gzip or zlib header, whichever comes
_WINDOW_RAW = -15  # zlib: "deflate" as some servers send it, without the zlib header
_ZSTD_WINDOW = 8 * 1024 * 1024  # bytes; RFC 9659


def unpacked(coding: str, packed: bytes, limits: Limits) -> tuple[bytes, int]:
    """The first limits.body bytes and the size of all; raises Broken for a bomb or for what is not in that coding."""
    pieces = {"br": _brotli, "zstd": _zstd}.get(coding, _zlib)
    content, size = bytearray(), 0
    for piece in pieces(packed):
        size += len(piece)
        content += piece[: limits.body - len(content)]
        if size > limits.body_decoded:
            raise Broken(Trouble.TOO_LARGE, f"a compressed body unpacks to more than {limits.body_decoded} bytes")
    return bytes(content), size


def _zlib(packed: bytes) -> Iterator[bytes]:
    try:
        unpacker = _zlib_unpacker(packed)
        while packed and not unpacker.eof:
            yield unpacker.decompress(packed, PIECE)
            packed = unpacker.unconsumed_tail
    except zlib.error as error:
        raise _broken(error) from error


def _zlib_unpacker(packed: bytes) -> zlib._Decompress:
    try:
        zlib.decompressobj(_WINDOW_AUTO).decompress(packed[:64], 64)
    except zlib.error:
        return zlib.decompressobj(_WINDOW_RAW)
    return zlib.decompressobj(_WINDOW_AUTO)


def _brotli(packed: bytes) -> Iterator[bytes]:
    import brotli  # an extension module that few answers need

    unpacker = brotli.Decompressor()
    try:
        piece = unpacker.process(packed, output_buffer_limit=PIECE)
        while piece:
            yield piece
            piece = b"" if unpacker.is_finished() else unpacker.process(b"", output_buffer_limit=PIECE)
    except brotli.error as error:
        raise _broken(error) from error


def _zstd(packed: bytes) -> Iterator[bytes]:
    import zstandard

    unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    try:
        with unpacker.stream_reader(io.BytesIO(packed), read_across_frames=True) as reader:
            while piece := reader.read(PIECE):
                yield piece
    except zstandard.ZstdError as error:
        raise _broken(error) from error


def _broken(error: Exception) -> Broken:
    return Broken(Trouble.PROTOCOL, f"the compressed body cannot be unpacked: {error}")
