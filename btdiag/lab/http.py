"""HTTP/1.1 messages as bytes: reading heads and bodies from a stream, writing them to one. Bounded, and no more clever
than a proxy has to be: what it does not understand is `Malformed`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TypeAlias

HEAD_LIMIT = 256 * 1024
CHUNK = 64 * 1024

Headers: TypeAlias = tuple[tuple[str, str], ...]
HOP_BY_HOP = frozenset({"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"})


class Malformed(Exception):
    """What came is no HTTP/1.x message; `status` is what a server answers to it."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


def header(headers: Headers, name: str) -> str | None:
    """The first value of a header, None when it is absent."""
    return next((value for key, value in headers if key.lower() == name), None)


def without(headers: Headers, names: Iterable[str]) -> Headers:
    """The headers except those of the names (lower case)."""
    unwanted = frozenset(names)
    return tuple((key, value) for key, value in headers if key.lower() not in unwanted)


class Body:
    """The body of a message that is being received: iterate over it once, in pieces as they arrive."""

    def __init__(self, reader: asyncio.StreamReader, *, length: int | None, chunked: bool) -> None:
        self._reader = reader
        self.length = length
        self._left = length  # whoever stops in the middle leaves the rest to the next reader
        self.chunked = chunked
        self.done = length == 0 and not chunked
        self.on_first_read: asyncio.StreamWriter | None = None
        self.limit: int | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces; Malformed with status 413 when there are more than `self.limit` bytes."""
        if self.done:
            return
        self._say_continue()
        size = 0
        pieces = self._chunks() if self.chunked else self._plain()
        async for piece in pieces:
            size += len(piece)
            if self.limit is not None and size > self.limit:
                raise Malformed("body too large", 413)
            yield piece
        self.done = True

    async def read(self, limit: int) -> bytes:
        """All of it; Malformed with status 413 beyond `limit` bytes."""
        if self.done:
            return b""
        if self.length is not None and self.length > limit:
            raise Malformed("body too large", 413)
        self.limit = limit if self.limit is None else min(limit, self.limit)
        return b"".join([piece async for piece in self])

    def _say_continue(self) -> None:
        if self.on_first_read is not None:
            self.on_first_read.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.on_first_read = None

    async def _plain(self) -> AsyncIterator[bytes]:
        while self._left is None or self._left > 0:
            piece = await self._reader.read(CHUNK if self._left is None else min(self._left, CHUNK))
            if not piece:
                if self._left is None:
                    return
                raise asyncio.IncompleteReadError(b"", self._left)
            self._left = None if self._left is None else self._left - len(piece)
            yield piece

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := await self._chunk_size():
            while size > 0:
                piece = await self._reader.readexactly(min(size, CHUNK))
                size -= len(piece)
                yield piece
            await self._reader.readexactly(2)
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass

    async def _chunk_size(self) -> int:
        line = await self._reader.readuntil(b"\r\n")
        try:
            return int(line.split(b";")[0], 16)
        except ValueError:
            raise Malformed("bad chunk size") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as received. `target` is the request line's, with its query."""

    method: str
    target: str
    headers: Headers
    body: Body
    version: str = "HTTP/1.1"

    @property
    def path(self) -> str:
        """The target without its query; an absolute target's path."""
        bare = self.target.split("?", 1)[0]
        if "://" in bare:
            bare = "/" + bare.split("://", 1)[1].partition("/")[2]
        return bare

    def header(self, name: str) -> str | None:
        """The first value of a header (lower-case name), None when it is absent."""
        return header(self.headers, name)

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection may serve another request (RFC 9112 section 9.3)."""
        option = (self.header("connection") or "").lower()
        return "close" not in option and (self.version == "HTTP/1.1" or "keep-alive" in option)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response to be sent. A body in pieces is sent as it comes: with the Content-Length among the headers, else
    chunked. `framed` False sends no Content-Length for bytes (the headers have it, or the status forbids it)."""

    status: int
    headers: Headers = ()
    body: bytes | AsyncIterator[bytes] = b""
    reason: str | None = None
    closes: bool = False

    def adding(self, *headers: tuple[str, str]) -> Response:
        """The response with more headers."""
        return replace(self, headers=(*self.headers, *headers))

    def setting(self, name: str, value: str) -> Response:
        """The response with one header replaced."""
        return replace(self, headers=(*without(self.headers, (name.lower(),)), (name, value)))

    def header(self, name: str) -> str | None:
        """The first value of a header (lower-case name), None when it is absent."""
        return header(self.headers, name)


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The head of a response as received, with the body still on the stream."""

    status: int
    reason: str
    headers: Headers
    body: Body
    keeps_alive: bool


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request on a connection; None when the peer closed instead."""
    try:
        first = await reader.readexactly(1)
    except asyncio.IncompleteReadError:
        return None
    if not (first.isalpha() or first in b"\r\n"):
        raise Malformed("not HTTP")  # a ClientHello, say: its sender will never end a line
    lines = await _head(reader, first)
    if lines is None:
        return None
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise Malformed("bad request line")
    headers = _headers(lines[1:])
    return Request(
        method=words[0], target=words[1], version=words[2], headers=headers, body=_body(reader, headers, response=False)
    )


async def read_response(reader: asyncio.StreamReader, method: str) -> ResponseHead:
    """The response to a request with `method`; EOFError when the peer closed before sending any of it."""
    lines = await _head(reader)
    if lines is None:
        raise EOFError
    version, _, rest = lines[0].partition(" ")
    code, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1.") or not code.isdigit():
        raise Malformed("bad status line", 502)
    headers = _headers(lines[1:])
    status = int(code)
    if method == "HEAD" or has_no_body(status):
        body = Body(reader, length=0, chunked=False)
    else:
        body = _body(reader, headers, response=True)
    lasting = "close" not in (header(headers, "connection") or "").lower() and (body.chunked or body.length is not None)
    return ResponseHead(status, reason, headers, body, lasting)


def has_no_body(status: int) -> bool:
    """Whether responses with the status never have a body (RFC 9112 section 6.3)."""
    return status < 200 or status in (204, 304)


def request_bytes(method: str, target: str, headers: Headers) -> bytes:
    """The head of a request on the wire."""
    return _wire(f"{method} {target} HTTP/1.1", headers)


def response_head(head: ResponseHead) -> bytes:
    """The head of a received response as it goes on, its headers as they came."""
    return _wire(f"HTTP/1.1 {head.status} {head.reason}", head.headers)


async def write_response(writer: asyncio.StreamWriter, response: Response, method: str) -> None:
    """Send a response, framed as its body needs it."""
    reason = response.reason if response.reason is not None else _phrase(response.status)
    line = f"HTTP/1.1 {response.status} {reason}"
    headers = response.headers
    bodiless = method == "HEAD" or has_no_body(response.status)
    if isinstance(response.body, bytes):
        if header(headers, "content-length") is None and not has_no_body(response.status):
            headers = (*headers, ("Content-Length", str(len(response.body))))
        writer.write(_wire(line, headers) + (b"" if bodiless else response.body))
        await writer.drain()
        return
    chunked = header(headers, "content-length") is None
    if chunked and not bodiless:
        headers = (*headers, ("Transfer-Encoding", "chunked"))
    writer.write(_wire(line, headers))
    await write_pieces(writer, response.body, chunked=chunked)


async def write_pieces(writer: asyncio.StreamWriter, pieces: AsyncIterator[bytes], *, chunked: bool) -> None:
    """Send a body piece by piece, as chunks or bare."""
    async for piece in pieces:
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _head(reader: asyncio.StreamReader, first: bytes = b"") -> list[str] | None:
    try:
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if (first + error.partial).strip():
            raise Malformed("head cut off") from None
        return None
    except asyncio.LimitOverrunError:
        raise Malformed("head too large", 431) from None
    return head.decode("latin-1").lstrip("\r\n").split("\r\n")[:-2]


def _headers(lines: list[str]) -> Headers:
    pairs = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Malformed("bad header line")
        pairs.append((name, value.strip(" \t")))
    return tuple(pairs)


def _body(reader: asyncio.StreamReader, headers: Headers, *, response: bool) -> Body:
    if "chunked" in (header(headers, "transfer-encoding") or "").lower():
        return Body(reader, length=None, chunked=True)
    length = header(headers, "content-length")
    if length is None:
        return Body(reader, length=None if response else 0, chunked=False)
    if not length.isdigit():
        raise Malformed("bad Content-Length")
    return Body(reader, length=int(length), chunked=False)


def _wire(line: str, headers: Headers) -> bytes:
    lines = [line, *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
