"""The corpus: every hostile behaviour as bytes or a few lines of a server, with what a sound report says of it.

`must_fail`: the run exits with 1 and a failing check. Else any sound verdict will do: no crash, in time, valid JSON.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"
VERSION = b'{"version": "1.1.32", "commit": "0"}'
HELLO = OK + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(VERSION) + VERSION


@dataclass(frozen=True)
class Behaviour:
    """One way to misbehave. `named` is what the id or the summary of a failing check has to hold; `alpn` is what a TLS
    server agrees on; `plain` and `tls` False leave the http or the https twin out."""

    name: str
    serve: Serve
    must_fail: bool = True
    named: str = ""
    alpn: tuple[str, ...] = ("http/1.1",)
    plain: bool = True
    tls: bool = True


async def head(reader: asyncio.StreamReader) -> None:
    """Read one request's head."""
    await reader.readuntil(b"\r\n\r\n")


def says(content: bytes, *, first: bool = False) -> Serve:
    """Answers every request with these bytes and closes; `first`: before any request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not first:
            await head(reader)
        writer.write(content)
        await writer.drain()
        await asyncio.sleep(0.05)

    return serve


def keeps_saying(start: bytes, piece: bytes, pause: float) -> Serve:
    """Answers with `start`, then with `piece` again and again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return serve


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65536):
        pass


async def never_reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return


async def closes_after_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)


def _reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def resets_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _reset(writer)


async def resets_after_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)
    _reset(writer)


def answers_after(seconds: float) -> Serve:
    """A healthy answer, late."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await asyncio.sleep(seconds)
        writer.write(HELLO)

    return serve


BANNERS = {
    "smtp": b"220 mail.example ESMTP Postfix\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "ftp": b"220 ftp ready\r\n",
    "pop3": b"+OK ready\r\n",
    "imap": b"* OK IMAP4rev1\r\n",
    "mysql": b"\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00",
    "redis": b"-ERR unknown command\r\n",
    "telnet": b"\xff\xfd\x18\xff\xfd\x20",
    "rtsp": b"RTSP/1.0 400 Bad Request\r\n\r\n",
    "sip": b"SIP/2.0 400 Bad Request\r\n\r\n",
    "icy": b"ICY 200 OK\r\n\r\n",
    "tls alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "nulls": bytes(200),
    "random": bytes(range(128, 256)) * 4,
    "html": b"<html><body>hello</body></html>\r\n\r\n",
    "json": b'{"ok": true}\r\n\r\n',
}
STATUS_LINES = {
    "no status": b"HTTP/1.1\r\n",
    "empty status": b"HTTP/1.1  OK\r\n",
    "letters": b"HTTP/1.1 abc OK\r\n",
    "zero": b"HTTP/1.1 000 OK\r\n",
    "two digits": b"HTTP/1.1 99 OK\r\n",
    "four digits": b"HTTP/1.1 2000 OK\r\n",
    "six hundred": b"HTTP/1.1 600 OK\r\n",
    "nine hundred": b"HTTP/1.1 999 OK\r\n",
    "huge": b"HTTP/1.1 " + b"9" * 5000 + b" OK\r\n",
    "sign": b"HTTP/1.1 +200 OK\r\n",
    "minus": b"HTTP/1.1 -20 OK\r\n",
    "float": b"HTTP/1.1 2.0 OK\r\n",
    "arabic digits": "HTTP/1.1 ٢٠٠ OK\r\n".encode(),
    "control characters": b"HTTP/1.1 2\x000 OK\r\n",
    "version 0.9": b"HTTP/0.9 200 OK\r\n",
    "version 3": b"HTTP/3.0 200 OK\r\n",
    "version 11": b"HTTP/11 200 OK\r\n",
    "version letters": b"HTTP/x.y 200 OK\r\n",
    "lower case": b"http/1.1 200 OK\r\n",
    "blank first": b" HTTP/1.1 200 OK\r\n",
    "tab": b"HTTP/1.1\t200\tOK\r\n",
    "escape": b"\x1b[2JHTTP/1.1 200 OK\r\n",
}
HEADS = {
    "header without colon": b"X-Broken\r\n",
    "header name with blank": b"X Broken: 1\r\n",
    "empty header name": b": 1\r\n",
    "null in name": b"X-\x00: 1\r\n",
    "null in value": b"X-A: a\x00b\r\n",
    "escape in name": b"X-\x1b[31m: 1\r\n",
    "latin name": b"X-\xe9: 1\r\n",
    "bare cr": b"X-A: a\rSet-Cookie: b\r\n",
    "lengths differ": b"Content-Length: 13\r\nContent-Length: 5\r\n",
    "length list differs": b"Content-Length: 13, 5\r\n",
    "length negative": b"Content-Length: -13\r\n",
    "length sign": b"Content-Length: +13\r\n",
    "length hex": b"Content-Length: 0xd\r\n",
    "length letters": b"Content-Length: abc\r\n",
    "length empty": b"Content-Length: \r\n",
    "length huge": b"Content-Length: " + b"9" * 5000 + b"\r\n",
    "length overflow": b"Content-Length: 18446744073709551617\r\n",
    "coding unknown": b"Transfer-Encoding: zip\r\n",
    "coding twice": b"Transfer-Encoding: chunked, chunked\r\n",
    "coding not last": b"Transfer-Encoding: chunked, gzip\r\n",
}
BODIES = {
    "body too short": OK + b"Content-Length: 100\r\n\r\nHello",
    "body too long": OK + b"Content-Length: 5\r\n\r\nHello, World!",
    "second answer": HELLO + HELLO,
    "chunk size letters": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nHello\r\n0\r\n\r\n",
    "chunk size negative": OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nHello\r\n0\r\n\r\n",
    "chunk size huge": OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 100 + b"\r\nHello",
    "chunk too short": OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nHello\r\n0\r\n\r\n",
    "chunk without end": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n",
    "chunk without line": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nHelloXX0\r\n\r\n",
    "gzip that is none": OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nHello",
    "half a gzip": OK
    + b"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff",
    "deflate that is none": OK + b"Content-Encoding: deflate\r\nContent-Length: 5\r\n\r\n\xff\xff\xff\xff\xff",
    "only a status line": OK,
    "half a status line": b"HTTP/1.1 20",
    "half a header": OK + b"Content-Le",
    "101 unasked": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "many 1xx": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200 + HELLO,
    "escapes": OK + b"Server: \x1b[2J\x1b]0;x\x07\r\nContent-Length: 8\r\n\r\n\x1b[31mred",
    "redirect to itself": b"HTTP/1.1 302 Found\r\nLocation: javascript:alert(1)\r\nContent-Length: 0\r\n\r\n",
    "too many headers": OK + b"".join(b"X-%d: a\r\n" % n for n in range(20000)) + b"\r\n",
    "one huge header": OK + b"X-A: " + b"a" * 500_000 + b"\r\n\r\n",
    "500": b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    "502 page": b"HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\nContent-Length: 6\r\n\r\n<html>",
}
ODD = {
    **{
        f"date {name}": OK + b"Date: " + value + b"\r\nContent-Length: 5\r\n\r\nHello"
        for name, value in {
            "year 9999": b"Fri, 31 Dec 9999 23:59:59 GMT",
            "year 1": b"Mon, 01 Jan 0001 00:00:00 GMT",
            "year 0": b"Mon, 01 Jan 0000 00:00:00 GMT",
            "year 99999": b"Mon, 01 Jan 99999 00:00:00 GMT",
            "edge east": b"Mon, 01 Jan 0001 00:00:00 +2359",
            "edge west": b"Fri, 31 Dec 9999 23:59:59 -2359",
            "zone huge": b"Fri, 31 Dec 2026 23:59:59 +999999",
            "empty": b"",
            "digits": b"9" * 4999,
            "no text": b"\xff\xfe",
        }.items()
    },
    **{
        f"{name} odd": OK + name.encode() + b": " + value + b"\r\nContent-Length: 5\r\n\r\nHello"
        for name, value in {
            "Age": b"9" * 4999,
            "Retry-After": b"-" + b"9" * 400,
            "Alt-Svc": b'h3=":99999999"; ma=' + b"9" * 400,
            "Strict-Transport-Security": b"max-age=" + b"9" * 4999,
            "X-RateLimit-Remaining": b"9" * 4999,
            "RateLimit-Limit": b"\xff",
            "Access-Control-Max-Age": b"9" * 4999,
            "Keep-Alive": b"timeout=" + b"9" * 4999,
            "Content-Type": b"text/\x80html; charset=" + b"x" * 4000,
            "Set-Cookie": b"=" * 4000,
            "Vary": b"," * 4000,
            "Location": b"http://[::1",
            "Server": b"\xf0\x9f\x92\xa9",
            "Via": b"1.1 " + b"a," * 2000,
            "X-Bt-Audit-Resources": b"eyJ" * 1000,
        }.items()
    },
    "version odd": OK
    + b"Content-Type: application/json\r\nContent-Length: 60\r\n\r\n"
    + b'{"version": '
    + b"[" * 47
    + b"}",
    "json deep": OK + b"Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60000,
    "json number": OK + b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n" + b"9" * 5000,
    "json nan": OK + b"Content-Type: application/json\r\nContent-Length: 3\r\n\r\nNaN",
    "json surrogate": OK + b'Content-Type: application/json\r\nContent-Length: 23\r\n\r\n{"version": "\\ud800\\u"}}',
    "bidi": OK + "Server: \u202eevil\r\nContent-Length: 5\r\n\r\nHello".encode(),
    "http/1.0": b"HTTP/1.0 200 OK\r\n\r\nHello",
    "lf only": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nHello",
    "folded header": OK + b"X-A: a\r\n b\r\nContent-Length: 5\r\n\r\nHello",
    "204 with body": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nHello",
    "304 with body": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nHello",
}


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\x00" + _length(name) + _length(value)


def _length(text: bytes) -> bytes:
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, out = len(text) - 127, bytearray([127])
    while rest >= 128:
        out.append(rest % 128 + 128)
        rest //= 128
    return bytes([*out, rest]) + text


SETTINGS = _frame(4, 0, 0, b"")


def _answered(*fields: tuple[bytes, bytes], body: bytes = b"Hello", flags: int = 4) -> bytes:
    block = b"".join(_literal(name, value) for name, value in fields)
    return SETTINGS + _frame(1, flags, 1, block) + _frame(0, 1, 1, body)


H2 = {
    **{
        f"h2 status {name}": _answered((b":status", value))
        for name, value in {
            "empty": b"",
            "letters": b"abc",
            "zero": b"000",
            "two digits": b"99",
            "six hundred": b"600",
            "four digits": b"2000",
            "huge": b"9" * 5000,
            "sign": b"+20",
            "blank": b" 200",
            "control": b"2\x000",
            "not ascii": "٢٠٠".encode(),
        }.items()
    },
    "h2 no status": _answered((b"x-a", b"1")),
    "h2 status twice": _answered((b":status", b"200"), (b":status", b"500")),
    "h2 status late": _answered((b"x-a", b"1"), (b":status", b"200")),
    "h2 unknown pseudo": _answered((b":status", b"200"), (b":odd", b"1")),
    "h2 upper case": _answered((b":status", b"200"), (b"X-A", b"1")),
    "h2 connection header": _answered((b":status", b"200"), (b"connection", b"close")),
    "h2 body short": _answered((b":status", b"200"), (b"content-length", b"100")),
    "h2 body long": _answered((b":status", b"200"), (b"content-length", b"2")),
    "h2 length letters": _answered((b":status", b"200"), (b"content-length", b"abc")),
    "h2 lengths differ": _answered((b":status", b"200"), (b"content-length", b"5"), (b"content-length", b"6")),
    "h2 reset": SETTINGS + _frame(3, 0, 1, struct.pack("!I", 2)),
    "h2 goaway": SETTINGS + _frame(7, 0, 0, struct.pack("!II", 0, 11)),
    "h2 data first": SETTINGS + _frame(0, 1, 1, b"Hello"),
    "h2 other stream": SETTINGS + _frame(1, 5, 3, _literal(b":status", b"200")),
    "h2 push": SETTINGS + _frame(5, 4, 1, struct.pack("!I", 2) + _literal(b":method", b"GET")),
    "h2 bad hpack": SETTINGS + _frame(1, 5, 1, b"\xff\xff\xff\xff\xff\xff"),
    "h2 huge frame": SETTINGS + struct.pack("!I", 0xFFFFFF)[1:] + b"\x00\x01" + struct.pack("!I", 1) + b"x" * 1000,
    "h2 unknown frame forever": SETTINGS + _frame(99, 0, 0, b"x") * 1000,
    "h2 settings flood": SETTINGS * 2000,
    "h2 ping flood": SETTINGS + _frame(6, 0, 0, b"12345678") * 2000,
    "h2 empty data flood": SETTINGS + _frame(1, 4, 1, _literal(b":status", b"200")) + _frame(0, 0, 1, b"") * 3000,
    "h2 continuation flood": SETTINGS + _frame(1, 0, 1, _literal(b":status", b"200")) + _frame(9, 0, 1, b"") * 3000,
    "h2 window zero": _frame(4, 0, 0, struct.pack("!HI", 4, 0)),
    "h2 window overflow": SETTINGS + _frame(8, 0, 0, struct.pack("!I", 0x7FFFFFFF)) * 3,
    "h2 table huge": _frame(4, 0, 0, struct.pack("!HI", 1, 0xFFFFFFFF)),
    "h2 no preface": HELLO,
    "h2 garbage": bytes(range(256)) * 4,
}


def speaks_http2(content: bytes) -> Serve:
    """Healthy over HTTP/1.1, these bytes over HTTP/2."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        if agreed != "h2":
            await says(HELLO)(reader, writer)
            return
        await reader.readexactly(24)
        writer.write(content)
        await writer.drain()
        await asyncio.sleep(0.3)

    return serve


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SERVERS: dict[str, Serve] = {
    "silent": silent,
    "never reads": never_reads,
    "closes": closes,
    "closes after the request": closes_after_request,
    "resets at once": resets_at_once,
    "resets after the request": resets_after_request,
    "drips a header": keeps_saying(OK + b"X-A: ", b"b", 0.3),
    "drips a status": keeps_saying(b"HTTP/1.1 2", b"0", 1.0),
    "drips a body": keeps_saying(OK + b"Content-Length: 1000\r\n\r\n", b"x", 0.3),
    "endless header": keeps_saying(OK, b"X-A: " + b"a" * 900 + b"\r\n", 0.0),
    "endless 1xx": keeps_saying(b"", b"HTTP/1.1 102 P\r\n\r\n", 0.5),
    "endless chunks": keeps_saying(CHUNKED, b"5\r\nHello\r\n", 0.05),
    "flood of chunks": keeps_saying(CHUNKED, b"1000\r\n" + b"x" * 4096 + b"\r\n", 0.0),
    "half a header, then silence": keeps_saying(OK + b"Server: x\r\n", b"", 1.0),
    "after 6.5 s": answers_after(6.5),
}


def behaviours() -> Iterator[Behaviour]:
    """All of them, each name once."""
    for name, serve in SERVERS.items():
        yield Behaviour(name, serve)
    yield Behaviour("after 5.2 s", answers_after(5.2))
    for name, content in BANNERS.items():
        yield Behaviour(f"banner {name}", says(content, first=True), named="not HTTP")
        yield Behaviour(f"answers {name}", says(content), named="not HTTP")
    for name, line in STATUS_LINES.items():
        yield Behaviour(f"status {name}", says(line + b"Content-Length: 5\r\n\r\nHello"), named="root-answers")
    for name, lines in HEADS.items():
        yield Behaviour(f"head {name}", says(OK + lines + b"\r\nHello, World!"), named="root-answers")
    for name, content in BODIES.items():
        yield Behaviour(f"body {name}", says(content), named="root-answers")
    for name, content in ODD.items():
        yield Behaviour(f"odd {name}", says(content), must_fail=False)
    for name, content in H2.items():
        yield Behaviour(name, speaks_http2(content), named="http2", alpn=("h2", "http/1.1"), plain=False)
